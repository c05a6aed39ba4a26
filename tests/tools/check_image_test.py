#!/usr/bin/python3
"""tools/check-image refuses each thing it is there for, and nothing else."""

import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ["-mcpu=cortex-a7", "-mfloat-abi=hard", "-mfpu=neon-vfpv4", "-O1", "-fno-builtin", "-c"]
HEAP = "void *malloc(unsigned), *calloc(unsigned, unsigned), *realloc(void *, unsigned); void free(void *);"


def check(source, suffix=".c", flags=()):
    """(exit code, output) of check-image on an object file of this source."""
    with tempfile.TemporaryDirectory(prefix="sallyport-check-image-") as folder:
        file, image = pathlib.Path(folder) / f"source{suffix}", pathlib.Path(folder) / "image.o"
        file.write_text(source, encoding="utf-8")
        compiler = "arm-none-eabi-gcc" if suffix == ".c" else "arm-none-eabi-g++"
        subprocess.run([compiler, *FLAGS, *flags, str(file), "-o", str(image)], check=True)
        run = subprocess.run([ROOT / "tools" / "check-image", image], capture_output=True, text=True)
        return run.returncode, run.stdout


class CheckImage(unittest.TestCase):
    def assert_refused(self, reason, source, *arguments):
        code, output = check(source, *arguments)
        self.assertEqual(code, 1, output)
        self.assertIn(reason, output)

    def test_accepts_code_without_a_heap(self):
        code, output = check("int freedom(int calls) { return calls * 2; } const char malloc_statistics[] = \"none\";")
        self.assertEqual(code, 0, output)

    def test_refuses_the_c_heap(self):
        for call in ("malloc(8)", "calloc(1, 8)", "realloc(0, 8)"):
            self.assert_refused("the C library's heap", f"{HEAP}\nvoid *use(void) {{ return {call}; }}")
        self.assert_refused("the C library's heap", f"{HEAP}\nvoid use(void *p) {{ free(p); }}")

    def test_refuses_sbrk(self):
        self.assert_refused("the heap's growth", "void *_sbrk(int n) { return 0; }")

    def test_refuses_operator_new_and_delete(self):
        self.assert_refused("operator new", "int *use() { return new int[3]; }", ".cpp")
        self.assert_refused("operator delete", "void use(int *p) { delete p; }", ".cpp")

    def test_refuses_exceptions(self):
        self.assert_refused("C++ exceptions", "void use() { throw 1; }", ".cpp", ["-fexceptions"])

    def test_refuses_mbed_tls_default_allocator(self):
        self.assert_refused("Mbed TLS' default allocator", "void platform_free_uninit(void *p) {}")

    def test_refuses_an_image_that_is_too_large(self):
        self.assert_refused("not under", "const char table[700 * 1024] = {1};")
        self.assert_refused("RAM is", "char table[49 * 1024 * 1024];")


if __name__ == "__main__":
    unittest.main()
