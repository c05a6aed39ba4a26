#include "bsp/imx6ul/gic.h"

#include <array>
#include <cstddef>

#include "bsp/imx6ul/soc.h"
#include "hal/base/assert.h"
#include "hal/drivers/mmio.h"

namespace sallyport::bsp::imx6ul {
namespace {

/// IHI 0048B table 4-1.
struct Distributor {
  hal::Register32 control;  // 0x000
  std::uint32_t reserved_004[63];
  hal::Register32 set_enable[32];    // 0x100
  hal::Register32 clear_enable[32];  // 0x180
  std::uint32_t reserved_200[32];
  hal::Register32 clear_pending[32];  // 0x280
  std::uint32_t reserved_300[64];
  hal::Register32 priority[256];      // 0x400, a byte each
  hal::Register32 targets[256];       // 0x800, a byte each
  hal::Register32 configuration[64];  // 0xc00, two bits each
};
static_assert(offsetof(Distributor, clear_pending) == 0x280 && offsetof(Distributor, configuration) == 0xc00);

/// IHI 0048B table 4-2.
struct CpuInterface {
  hal::Register32 control;        // 0x00
  hal::Register32 priority_mask;  // 0x04
  hal::Register32 binary_point;   // 0x08
  hal::Register32 acknowledge;    // 0x0c
  hal::Register32 end;            // 0x10
};

constexpr std::uint32_t enable_group_0 = 1;
constexpr std::uint32_t interrupt_id_mask = 0x3FF;
constexpr std::uint32_t priority_of_all = 0x80;
constexpr std::uint32_t lets_all_pass = 0xF0;
constexpr std::uint32_t first_core = 1;

struct Entry {
  Gic::Handler handler = nullptr;
  void* context = nullptr;
};

constinit std::array<Entry, Gic::interrupt_count> entries{};

Distributor& distributor() { return registers_at<Distributor>(gic_distributor_address); }
CpuInterface& cpu_interface() { return registers_at<CpuInterface>(gic_cpu_interface_address); }

void write_byte(hal::Register32* words, unsigned id, std::uint32_t value) {
  const unsigned shift = id % 4 * 8;
  words[id / 4].write((words[id / 4].read() & ~(0xFFu << shift)) | value << shift);
}

}  // namespace

void Gic::start() {
  distributor().control.write(0);
  for (unsigned i = 0; i < interrupt_count / 32; ++i) {
    distributor().clear_enable[i].write(0xFFFF'FFFFu);
    distributor().clear_pending[i].write(0xFFFF'FFFFu);
  }
  cpu_interface().priority_mask.write(lets_all_pass);
  cpu_interface().binary_point.write(0);
  cpu_interface().control.write(enable_group_0);
  distributor().control.write(enable_group_0);
}

void Gic::enable(unsigned id, Handler handler, void* context) {
  SALLYPORT_ASSERT(id < interrupt_count && entries[id].handler == nullptr);
  entries[id] = {handler, context};
  write_byte(distributor().priority, id, priority_of_all);
  if (id >= 32) {
    write_byte(distributor().targets, id, first_core);
    distributor().configuration[id / 16].clear(2u << id % 16 * 2);
  }
  distributor().set_enable[id / 32].write(1u << id % 32);
}

extern "C" void imx6ul_dispatch_interrupt() {
  const std::uint32_t acknowledged = cpu_interface().acknowledge.read();
  const std::uint32_t id = acknowledged & interrupt_id_mask;
  if (id >= Gic::interrupt_count) return;  // spurious: no end of interrupt (IHI 0048B 3.2.3)
  const Entry& entry = entries[id];
  if (entry.handler != nullptr) entry.handler(entry.context);
  // The device has taken its request back before the controller looks at it again.
  hal::dma_barrier();
  cpu_interface().end.write(acknowledged);
}

}  // namespace sallyport::bsp::imx6ul
