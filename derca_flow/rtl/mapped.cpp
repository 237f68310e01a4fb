// Runs the generated accelerator beside a processor: single register accesses, main memory, and waiting for the interrupt.
//
// Usage: harness MEMORY READ_LATENCY WRITE_LATENCY, bytes and cycles. Reads requests on stdin and answers some on stdout,
// numbers little endian:
//   'w' ADDRESS(4) VALUE(4)   a register write; answers its response (1)
//   'r' ADDRESS(4)            a register read; answers its response (1) and the value (4)
//   'M' ADDRESS(4) COUNT(4) BYTES   changes main memory; no answer
//   'm' ADDRESS(4) COUNT(4)   answers COUNT bytes of main memory
//   'p' CYCLES(8)             runs until the interrupt is raised, or CYCLES have passed; answers whether it is (1)
//   'c'                       answers the cycles run so far (8)
// Time passes during 'w', 'r' and 'p' only. Main memory is changed and read between two cycles, so a processor's access
// takes no time on the bus. Ends at the end of stdin. Exit code 4: the design broke a rule, the reason is on stderr.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <vector>

#include "Vderca.h"
#include "axi_memory.h"
#include "verilated.h"

namespace {

bool get(void *data, size_t size) { return std::fread(data, 1, size, stdin) == size; }

void put(const void *data, size_t size) {
    if (std::fwrite(data, 1, size, stdout) != size) std::exit(5);
}

// Ports that a platform may lack.
template <class Top>
auto interrupt(const Top &top, int) -> decltype(top.irq, bool()) { return top.irq; }
template <class Top>
bool interrupt(const Top &, long) { return false; }

template <class Top>
auto no_trigger(Top &top, int) -> decltype(top.trigger_valid, void()) { top.trigger_valid = 0; }
template <class Top>
auto no_trigger(Top &top, long) -> decltype(top.trigger, void()) { top.trigger = 0; }
template <class Top>
void no_trigger(Top &, ...) {}

class Accelerator {
  public:
    uint64_t cycles = 0;

    Accelerator(uint64_t size, const MemoryTiming &timing)
        : memory_(std::vector<uint8_t>(size), timing), top_(new Vderca{&context_}) {
        no_trigger(*top_, 0);
        top_->event_ready = 1;
        top_->s_axi_bready = top_->s_axi_rready = 1;
        top_->s_axi_wstrb = 0xF;
        top_->aresetn = 0;
        for (int i = 0; i < 4; i++) cycle();
        top_->aresetn = 1;
    }

    std::vector<uint8_t> &memory() { return memory_.bytes; }
    bool raised() const { return interrupt(*top_, 0); }

    // The response of a write, once it is there.
    uint8_t write(uint32_t address, uint32_t value) {
        top_->s_axi_awaddr = address;
        top_->s_axi_wdata = value;
        bool sent = false, handed = false;
        for (int i = 0; i < kPatience; i++) {
            top_->s_axi_awvalid = !sent;
            top_->s_axi_wvalid = !handed;
            settle();
            sent |= top_->s_axi_awvalid && top_->s_axi_awready;
            handed |= top_->s_axi_wvalid && top_->s_axi_wready;
            const bool done = top_->s_axi_bvalid;
            const uint8_t response = top_->s_axi_bresp;
            edge();
            if (!done) continue;
            top_->s_axi_awvalid = top_->s_axi_wvalid = 0;
            return response;
        }
        throw std::runtime_error("AXI4-Lite: a write was not answered");
    }

    uint8_t read(uint32_t address, uint32_t &value) {
        top_->s_axi_araddr = address;
        bool sent = false;
        for (int i = 0; i < kPatience; i++) {
            top_->s_axi_arvalid = !sent;
            settle();
            sent |= top_->s_axi_arvalid && top_->s_axi_arready;
            const bool done = top_->s_axi_rvalid;
            const uint8_t response = top_->s_axi_rresp;
            value = top_->s_axi_rdata;
            edge();
            if (!done) continue;
            top_->s_axi_arvalid = 0;
            return response;
        }
        throw std::runtime_error("AXI4-Lite: a read was not answered");
    }

    void cycle() {
        settle();
        edge();
    }

  private:
    static constexpr int kPatience = 10000;  // cycles until an access must be answered

    void settle() {
        if (top_->aresetn) memory_.drive(*top_, cycles);
        top_->aclk = 0;
        top_->eval();
        if (top_->aresetn) memory_.sample(*top_, cycles, false);
    }
    void edge() {
        top_->aclk = 1;
        top_->eval();
        cycles++;
    }

    VerilatedContext context_;
    AxiMemory<Vderca> memory_;
    std::unique_ptr<Vderca> top_;
};

// One request; false if it is not known or not whole.
bool serve(Accelerator &accelerator, char what) {
    uint32_t address = 0, value = 0;
    uint64_t limit = 0;
    uint8_t answer = 0;
    if (what == 'c') return put(&accelerator.cycles, 8), true;
    if (what == 'p') {
        if (!get(&limit, 8)) return false;
        for (const uint64_t end = accelerator.cycles + limit; !accelerator.raised() && accelerator.cycles < end;)
            accelerator.cycle();
        answer = accelerator.raised();
        return put(&answer, 1), true;
    }
    if (!get(&address, 4)) return false;
    if (what == 'r') {
        answer = accelerator.read(address, value);
        return put(&answer, 1), put(&value, 4), true;
    }
    if (!get(&value, 4)) return false;
    if (what == 'w') {
        answer = accelerator.write(address, value);
        return put(&answer, 1), true;
    }
    auto &memory = accelerator.memory();
    if (uint64_t(address) + value > memory.size()) return false;
    if (what == 'M') return get(memory.data() + address, value);
    if (what == 'm') return put(memory.data() + address, value), true;
    return false;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 4) {
        std::fputs("usage: harness MEMORY READ_LATENCY WRITE_LATENCY\n", stderr);
        return 2;
    }
    try {
        MemoryTiming timing;
        timing.read_latency = std::strtoull(argv[2], nullptr, 10);
        timing.write_latency = std::strtoull(argv[3], nullptr, 10);
        Accelerator accelerator(std::strtoull(argv[1], nullptr, 10), timing);
        for (char what; get(&what, 1); std::fflush(stdout))
            if (!serve(accelerator, what)) throw std::runtime_error(std::string("wrong request ") + what);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 4;
    }
    return 0;
}
