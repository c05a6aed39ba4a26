# Toolchain: Debian's arm-none-eabi GCC 12 with picolibc, for a Cortex-A7 with NEON.
#
# picolibc and not newlib: newlib's printf alone pulls in malloc, sbrk and dtoa. Thumb, because GCC's A-profile multilibs
# exist only as Thumb.

set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
# There is no start-up code before the board's own, so CMake's probes cannot link.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
set(CMAKE_OBJCOPY arm-none-eabi-objcopy CACHE STRING "")
set(CMAKE_NM arm-none-eabi-nm CACHE STRING "")
set(CMAKE_SIZE arm-none-eabi-size CACHE STRING "")

set(sallyport_machine "-mcpu=cortex-a7 -mfpu=neon-vfpv4 -mfloat-abi=hard -mthumb")
set(sallyport_freestanding "-ffunction-sections -fdata-sections -fno-common")
set(CMAKE_C_FLAGS_INIT "--specs=picolibc.specs ${sallyport_machine} ${sallyport_freestanding}")
set(CMAKE_CXX_FLAGS_INIT "--specs=picolibcpp.specs ${sallyport_machine} ${sallyport_freestanding}")
set(CMAKE_ASM_FLAGS_INIT "${sallyport_machine} -x assembler-with-cpp")
# The board passes its linker script (sallyport_linker_script in cmake/SallyportBoard.cmake).
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostartfiles -Wl,--gc-sections -Wl,--fatal-warnings")

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
