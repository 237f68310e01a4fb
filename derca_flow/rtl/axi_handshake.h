// When the AXI4 memory of the simulation is ready: the habits that IHI 0022 allows a subordinate, beside stalls.
//
// The manager may never rely on any of them. Each is bounded: what is offered is taken at last.
#pragma once

#include <cstdint>

// Numbers as `derca_flow.rtl.handshake` writes them.
enum AddressHabit : uint64_t { kAddressFree = 0, kAddressWithData = 1, kAddressAfterData = 2 };
enum DataHabit : uint64_t { kDataFree = 0, kDataWithAddress = 1, kDataAfterAddress = 2 };

struct HandshakeHabits {
    uint64_t address = kAddressFree;  // AW: any time | once W of its burst is offered | once the whole burst's W was taken
    uint64_t data = kDataFree;        // W: any time, a burst ahead at most | once AW is offered | once AW was taken
    uint64_t late = 0;                // a ready waits for its valid, up to so many cycles
    uint64_t phase = 0;               // AR, AW, W are ready in turns of so many cycles, R and B begin in turns
    bool exclusive = false;           // no read is in work together with a write
};

// A ready that waits for its valid.
class LateReady {
  public:
    template <class Random>
    bool open(bool valid, uint64_t late, Random random) {
        if (!late) return true;
        if (!valid) {
            waits_ = false;
            return false;
        }
        if (!waits_) {
            waits_ = true;
            left_ = random() % late + 1;
        }
        if (!left_) return true;
        left_--;
        return false;
    }
    void taken() { waits_ = false; }

  private:
    bool waits_ = false;
    uint64_t left_ = 0;
};

// Whose turn it is when reads and writes exclude each other: the side that was not served last.
class Turn {
  public:
    enum Side { kNone, kRead, kWrite };

    void decide(bool wants_read, bool wants_write, bool reads, bool writes) {
        if (now_ == kRead && !reads) now_ = kNone;
        if (now_ == kWrite && !writes) now_ = kNone;
        if (now_ != kNone) return;
        if (wants_read && wants_write) now_ = last_ == kRead ? kWrite : kRead;
        else now_ = wants_read ? kRead : wants_write ? kWrite : kNone;
    }
    bool is(Side side) const { return now_ == side; }
    void served(Side side) { last_ = side; }

  private:
    Side now_ = kNone, last_ = kNone;
};
