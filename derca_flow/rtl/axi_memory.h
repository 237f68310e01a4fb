// AXI4 memory of the simulation: timing, protocol checks, statistics.
//
// A handshake "in cycle t" is valid && ready in the clock period that ends with rising edge t + 1.
//
// Deterministic timing (no jitter), which the golden model relies on exactly:
//   - arready = awready = wready = 1 in every cycle.
//   - An AR accepted in cycle t has its first R beat valid in cycle max(t + read_latency, the cycle after the previous
//     R beat was accepted); further beats follow one per cycle, in order, RLAST with the last. rready is respected.
//   - A burst whose last W beat was accepted in cycle t has B valid in cycle max(t + write_latency, the cycle after
//     the previous B was accepted).
//   - A read beat carries the memory as of the first cycle in which it is valid; a W beat changes the memory at the end
//     of the cycle in which it is accepted, so reads see it from the next cycle on.
// Bursts are INCR and full width. What lies beyond the memory is answered with SLVERR and changes nothing.
//
// Jitter, from a seed: every R burst and every B comes up to `jitter` cycles later (order is kept), and every ready,
// every R beat and every B is withheld with probability `stall_permille` / 1000 per cycle. Habits (axi_handshake.h)
// restrict the readies further. W beats may come before their AW: they are kept, a burst at most, until it is taken.
//
// Every rule broken by the master throws ProtocolError with the cycle since start of the simulation.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "axi_handshake.h"

struct ProtocolError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct MemoryTiming {
    uint64_t read_latency = 32;
    uint64_t write_latency = 16;
    uint64_t jitter = 0;
    uint64_t stall_permille = 0;
    uint64_t seed = 1;
    bool random = false;
    HandshakeHabits habits;
};

struct BusCounters {
    uint64_t read_bursts = 0, read_beats = 0, write_bursts = 0, write_beats = 0;
    uint64_t read_stalls = 0, write_stalls = 0;  // valid without ready, on R and on W
    uint64_t withheld = 0;  // cycles in which the memory made anything wait longer than with its fixed latencies
};

template <class Top>
class AxiMemory {
  public:
    static constexpr uint64_t kBeat = sizeof(Top::m_axi_rdata);
    static constexpr uint64_t kAllLanes = (kBeat == 64) ? ~0ull : ((1ull << kBeat) - 1);
    static constexpr uint8_t kSlverr = 2;

    std::vector<uint8_t> bytes;
    BusCounters counters;

    AxiMemory(std::vector<uint8_t> image, const MemoryTiming &timing)
        : bytes(std::move(image)), timing_(timing), rng_(timing.seed * 0x9E3779B97F4A7C15ull + 0x1234567ull) {}

    // Nothing that was asked for is still to be answered.
    bool quiet() const { return reads_.empty() && writes_.empty() && responses_.empty() && ahead_.empty(); }

    // Forget what was asked for: the bus is reset on both sides.
    void reset() {
        reads_.clear(), writes_.clear(), responses_.clear(), ahead_.clear();
        r_valid_ = b_valid_ = w_waiting_ = false;
        ar_ = aw_ = {};
        late_ar_ = late_aw_ = late_w_ = {};
        turn_ = {};
    }

    // Set the inputs of the design for cycle t.
    void drive(Top &top, uint64_t t) {
        if (!r_valid_ && !reads_.empty() && reads_.front().ready <= t && !stall() && in_phase(t, 0, 2)) {
            if (exists(reads_.front().address)) std::memcpy(&top.m_axi_rdata, &bytes[reads_.front().address], kBeat);
            else std::memset(&top.m_axi_rdata, 0, kBeat);
            r_valid_ = true;
        }
        top.m_axi_rvalid = r_valid_;
        top.m_axi_rlast = r_valid_ && reads_.front().left == 1;
        top.m_axi_rid = r_valid_ ? reads_.front().id : 0;
        top.m_axi_rresp = r_valid_ && !exists(reads_.front().address) ? kSlverr : 0;
        if (!b_valid_ && !responses_.empty() && responses_.front().ready <= t && !stall() && in_phase(t, 1, 2))
            b_valid_ = true;
        top.m_axi_bvalid = b_valid_;
        top.m_axi_bid = b_valid_ ? responses_.front().id : 0;
        top.m_axi_bresp = b_valid_ ? responses_.front().answer : 0;
        const bool writes = !writes_.empty() || !ahead_.empty() || !responses_.empty();
        turn_.decide(top.m_axi_arvalid, top.m_axi_awvalid || top.m_axi_wvalid, !reads_.empty(), writes);
        const auto random = [this] { return next(); };
        top.m_axi_arready = !stall() && in_phase(t, 0, 3) && may_read(top) &&
                            late_ar_.open(top.m_axi_arvalid, timing_.habits.late, random);
        top.m_axi_awready = !stall() && in_phase(t, 1, 3) && may_take_address(top, writes) &&
                            late_aw_.open(top.m_axi_awvalid, timing_.habits.late, random);
        top.m_axi_wready = !stall() && in_phase(t, 2, 3) && may_take_data(top, writes) &&
                           late_w_.open(top.m_axi_wvalid, timing_.habits.late, random);
    }

    // Take what was handed over in cycle t; call when the inputs of the cycle have settled through the design.
    void sample(Top &top, uint64_t t, bool count) {
        t_ = t;
        counters.withheld += count && withholds(top);
        ar_.check(*this, "AR", top.m_axi_arvalid, top.m_axi_arready,
                  {top.m_axi_araddr, top.m_axi_arlen, top.m_axi_arsize, top.m_axi_arburst, top.m_axi_arid});
        aw_.check(*this, "AW", top.m_axi_awvalid, top.m_axi_awready,
                  {top.m_axi_awaddr, top.m_axi_awlen, top.m_axi_awsize, top.m_axi_awburst, top.m_axi_awid});
        if (top.m_axi_arvalid && top.m_axi_arready) {
            check_burst("AR", top.m_axi_araddr, top.m_axi_arlen, top.m_axi_arsize, top.m_axi_arburst);
            reads_.push_back({top.m_axi_araddr, top.m_axi_arlen + 1u, top.m_axi_arid,
                              t + timing_.read_latency + extra(), t + timing_.read_latency});
            late_ar_.taken();
            turn_.served(Turn::kRead);
            counters.read_bursts += count;
        }
        if (top.m_axi_rvalid) {
            if (top.m_axi_rready) accept_read(count);
            else counters.read_stalls += count;
        }
        if (top.m_axi_awvalid && top.m_axi_awready) {
            check_burst("AW", top.m_axi_awaddr, top.m_axi_awlen, top.m_axi_awsize, top.m_axi_awburst);
            writes_.push_back({top.m_axi_awaddr, top.m_axi_awlen + 1u, top.m_axi_awid, 0, 0});
            late_aw_.taken();
            turn_.served(Turn::kWrite);
            counters.write_bursts += count;
            while (!ahead_.empty() && !writes_.empty()) {
                write(ahead_.front());
                ahead_.pop_front();
            }
        }
        check_write_stable(top);
        if (top.m_axi_wvalid) {
            if (top.m_axi_wready) accept_write(top, count);
            else counters.write_stalls += count;
        }
        if (top.m_axi_bvalid && top.m_axi_bready) {
            responses_.pop_front();
            b_valid_ = false;
        }
    }

  private:
    struct Burst {
        uint64_t address;
        uint32_t left;
        uint32_t id;
        uint64_t ready;  // first cycle of the R data
        uint64_t due;    // the same without jitter
        bool wrong = false;
    };
    struct Response {
        uint32_t id;
        uint64_t ready, due;
        uint8_t answer;
    };
    struct Beat {
        uint8_t data[kBeat];
        uint64_t strobe;
        bool last;
    };
    struct Payload {
        uint64_t address, length, size, burst, id;
        bool operator==(const Payload &o) const {
            return address == o.address && length == o.length && size == o.size && burst == o.burst && id == o.id;
        }
    };
    // Rule: once valid, an address channel keeps valid and payload until it is accepted.
    struct AddressChannel {
        bool waiting = false;
        Payload held{};
        void check(AxiMemory &m, const char *name, bool valid, bool ready, const Payload &now) {
            if (waiting && !valid) m.fail(std::string(name) + ": valid was dropped before ready");
            if (waiting && !(now == held)) m.fail(std::string(name) + ": payload changed while valid && !ready");
            waiting = valid && !ready;
            if (waiting) held = now;
        }
    };

    [[noreturn]] void fail(const std::string &what) const {
        throw ProtocolError("AXI protocol, simulation cycle " + std::to_string(t_) + ": " + what);
    }

    static std::string hex(uint64_t v) {
        char text[32];
        snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(v));
        return text;
    }

    void check_burst(const char *name, uint64_t address, uint64_t length, uint64_t size, uint64_t burst) const {
        const uint64_t span = (length + 1) * kBeat;
        const std::string what = std::string(name) + ": burst of " + std::to_string(length + 1) + " beats at " + hex(address);
        if (burst != 1) fail(what + " is not INCR (burst = " + std::to_string(burst) + ")");
        if ((1ull << size) != kBeat) fail(what + " is not full width (size = " + std::to_string(size) + ")");
        if (length > 255) fail(what + " is longer than 256 beats");
        if (address % kBeat) fail(what + " is not aligned to its " + std::to_string(kBeat) + "-byte beats");
        if (address / 4096 != (address + span - 1) / 4096) fail(what + " crosses a 4 KiB boundary");
    }

    void accept_read(bool count) {
        Burst &burst = reads_.front();
        r_valid_ = false;
        burst.address += kBeat;
        counters.read_beats += count;
        if (--burst.left == 0) reads_.pop_front();
    }

    void check_write_stable(Top &top) {
        uint8_t data[kBeat];
        if (top.m_axi_wvalid || w_waiting_) std::memcpy(data, &top.m_axi_wdata, kBeat);
        if (w_waiting_) {
            if (!top.m_axi_wvalid) fail("W: valid was dropped before ready");
            if (std::memcmp(data, w_held_, kBeat) || w_strobe_ != top.m_axi_wstrb || w_last_ != top.m_axi_wlast)
                fail("W: payload changed while valid && !ready");
        }
        w_waiting_ = top.m_axi_wvalid && !top.m_axi_wready;
        if (w_waiting_) {
            std::memcpy(w_held_, data, kBeat);
            w_strobe_ = top.m_axi_wstrb;
            w_last_ = top.m_axi_wlast;
        }
    }

    void accept_write(Top &top, bool count) {
        Beat beat;
        std::memcpy(beat.data, &top.m_axi_wdata, kBeat);
        beat.strobe = top.m_axi_wstrb;
        beat.last = top.m_axi_wlast;
        late_w_.taken();
        turn_.served(Turn::kWrite);
        counters.write_beats += count;
        if (writes_.empty()) ahead_.push_back(beat);
        else write(beat);
    }

    void write(const Beat &beat) {
        Burst &burst = writes_.front();
        if (beat.last != (burst.left == 1))
            fail("W: WLAST is " + std::to_string(int(beat.last)) + " with " + std::to_string(burst.left) +
                 " beats of the burst left, this one included");
        if (!exists(burst.address)) {
            burst.wrong = true;
        } else if (beat.strobe == kAllLanes) {
            std::memcpy(&bytes[burst.address], beat.data, kBeat);
        } else {
            for (uint64_t i = 0; i < kBeat; i++)
                if (beat.strobe >> i & 1) bytes[burst.address + i] = beat.data[i];
        }
        burst.address += kBeat;
        if (--burst.left == 0) {
            const uint64_t due = t_ + timing_.write_latency;
            responses_.push_back({burst.id, due + extra(), due, uint8_t(burst.wrong ? kSlverr : 0)});
            writes_.pop_front();
        }
    }

    bool exists(uint64_t address) const { return address + kBeat <= bytes.size(); }

    // -- habits
    bool in_phase(uint64_t t, uint64_t place, uint64_t places) const {
        return !timing_.habits.phase || t / timing_.habits.phase % places == place;
    }
    bool may_read(const Top &top) const {
        if (!timing_.habits.exclusive) return true;
        return turn_.is(Turn::kRead) && (reads_.empty() || !(top.m_axi_awvalid || top.m_axi_wvalid));
    }
    // A new burst, when reads and writes exclude each other; one that has begun goes on.
    bool may_begin_write(const Top &top, bool writes) const {
        if (!timing_.habits.exclusive) return true;
        return turn_.is(Turn::kWrite) && (!writes || !top.m_axi_arvalid);
    }
    bool may_take_address(const Top &top, bool writes) const {
        if (ahead_.empty() && !may_begin_write(top, writes)) return false;
        if (timing_.habits.address == kAddressWithData) return !ahead_.empty() || (top.m_axi_wvalid && writes_.empty());
        if (timing_.habits.address == kAddressAfterData) return !ahead_.empty() && ahead_.back().last;
        return true;
    }
    bool may_take_data(const Top &top, bool writes) const {
        if (!writes_.empty()) return true;
        if (timing_.habits.data == kDataAfterAddress) return false;
        if (timing_.habits.data == kDataWithAddress && !top.m_axi_awvalid) return false;
        return ahead_.empty() ? may_begin_write(top, writes) : !ahead_.back().last;
    }
    // Whether in cycle t_ anything waits that would not on the memory without jitter, stalls and habits.
    bool withholds(const Top &top) const {
        return (top.m_axi_arvalid && !top.m_axi_arready) || (top.m_axi_awvalid && !top.m_axi_awready) ||
               (top.m_axi_wvalid && !top.m_axi_wready) || (!reads_.empty() && !r_valid_ && reads_.front().due <= t_) ||
               (!responses_.empty() && !b_valid_ && responses_.front().due <= t_);
    }

    uint64_t next() {  // xorshift64*
        rng_ ^= rng_ >> 12;
        rng_ ^= rng_ << 25;
        rng_ ^= rng_ >> 27;
        return rng_ * 0x2545F4914F6CDD1Dull >> 16;
    }
    bool may_stall() const { return timing_.random && timing_.stall_permille; }
    bool stall() { return may_stall() && next() % 1000 < timing_.stall_permille; }
    uint64_t extra() { return timing_.random && timing_.jitter ? next() % (timing_.jitter + 1) : 0; }

    MemoryTiming timing_;
    uint64_t rng_;
    uint64_t t_ = 0;
    std::deque<Burst> reads_, writes_;
    std::deque<Response> responses_;
    std::deque<Beat> ahead_;  // before their address, all of one burst
    LateReady late_ar_, late_aw_, late_w_;
    Turn turn_;
    bool r_valid_ = false, b_valid_ = false;
    AddressChannel ar_, aw_;
    bool w_waiting_ = false, w_last_ = false;
    uint64_t w_strobe_ = 0;
    uint8_t w_held_[kBeat] = {};
};
