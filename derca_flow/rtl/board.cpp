// Runs a board's top: drives its clock, exchanges bits with its UART pins and bytes with whoever started it.
//
// Usage: harness CLOCKS, the cycles of `clk` per bit of the UART. Reads requests on stdin and answers some on stdout,
// numbers little endian:
//   'W' COUNT(4) BYTES   send these bytes after those that wait; no answer
//   'R' COUNT(4) CYCLES(8)   run until COUNT bytes have been received, or CYCLES have passed; answers COUNT(4) BYTES
//   'C'                  answers the cycles run so far (8)
//   'L'                  answers a byte: bit 0 led_running, 1 led_miss, 2 led_fault, as the pins are; 0 for those that
//                        the board has not
// Time passes during 'R' only. Ends at the end of stdin.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

#include "Vderca.h"
#include "verilated.h"

namespace {

// One bit at a time on the pins: start bit, 8 data bits, stop bit.
class Uart {
  public:
    std::deque<uint8_t> waiting, received;

    explicit Uart(unsigned clocks) : clocks_(clocks) {}

    bool drive() {
        if (!send_left_ && !waiting.empty()) {
            send_ = 0x200u | unsigned(waiting.front()) << 1;
            waiting.pop_front();
            send_left_ = 10 * clocks_;
        }
        if (!send_left_) return true;
        const unsigned bit = (10 * clocks_ - send_left_--) / clocks_;
        return send_ >> bit & 1;
    }

    void sample(bool tx) {
        if (!receive_left_) {
            if (!tx) receive_left_ = 10 * clocks_ - 1, receive_ = 0;
            return;
        }
        const unsigned at = 10 * clocks_ - receive_left_--;
        if (at % clocks_ != clocks_ / 2) return;
        const unsigned bit = at / clocks_;
        receive_ |= unsigned(tx) << bit;
        if (bit == 0 && tx) receive_left_ = 0;  // no start bit
        if (bit == 9) {
            receive_left_ = 0;
            if (tx) received.push_back(uint8_t(receive_ >> 1));
        }
    }

  private:
    unsigned clocks_, send_ = 0, send_left_ = 0, receive_ = 0, receive_left_ = 0;
};

// The level of a pin that a board may lack: the second of each pair stands for those without it.
#define LED(name) \
    template <typename Top> auto name(const Top &top, int) -> decltype(unsigned(top.led_##name)) { return top.led_##name; } \
    template <typename Top> unsigned name(const Top &, long) { return 0; }
LED(running)
LED(miss)
LED(fault)
#undef LED

uint8_t lit(const Vderca &top) { return uint8_t(running(top, 0) | miss(top, 0) << 1 | fault(top, 0) << 2); }

bool get(void *data, size_t size) { return std::fread(data, 1, size, stdin) == size; }

void put(const void *data, size_t size) {
    if (std::fwrite(data, 1, size, stdout) != size) std::exit(5);
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fputs("usage: harness CLOCKS\n", stderr);
        return 2;
    }
    VerilatedContext context;
    const std::unique_ptr<Vderca> top(new Vderca{&context});
    Uart uart(unsigned(std::atoi(argv[1])));
    uint64_t cycles = 0;
    for (uint8_t what; get(&what, 1);) {
        uint32_t count = 0;
        uint64_t limit = 0;
        if (what == 'W') {
            if (!get(&count, 4)) return 5;
            std::vector<uint8_t> bytes(count);
            if (!get(bytes.data(), count)) return 5;
            uart.waiting.insert(uart.waiting.end(), bytes.begin(), bytes.end());
        } else if (what == 'R') {
            if (!get(&count, 4) || !get(&limit, 8)) return 5;
            for (const uint64_t end = cycles + limit; uart.received.size() < count && cycles < end; cycles++) {
                top->rx = uart.drive();
                top->clk = 0;
                top->eval();
                uart.sample(top->tx);
                top->clk = 1;
                top->eval();
            }
            if (count > uart.received.size()) count = uint32_t(uart.received.size());
            put(&count, 4);
            for (uint32_t i = 0; i < count; i++, uart.received.pop_front()) put(&uart.received.front(), 1);
            std::fflush(stdout);
        } else if (what == 'C') {
            put(&cycles, 8);
            std::fflush(stdout);
        } else if (what == 'L') {
            const uint8_t leds = lit(*top);
            put(&leds, 1);
            std::fflush(stdout);
        } else {
            std::fprintf(stderr, "unknown request %d\n", what);
            return 5;
        }
    }
    return 0;
}
