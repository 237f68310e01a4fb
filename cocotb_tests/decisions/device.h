// The compiled scheduler: inputs and outputs of one cycle, and access to its stored records.
#pragma once
#include <cstdint>
#include <memory>

#include "Vtop.h"
#include "Vtop___024root.h"
#include "config.h"
#include "flip.h"
#include "verilated.h"

struct Write {
    bool valid = false;
    int64_t task = 0, field = 0, value = 0;
};

struct Inputs {
    bool running = false, feedback = false, ready = false, fail = false;
    bool release = false, abort = false;
    int64_t task = 0, key = 0;
    uint64_t released = 0;  // parallel: tasks, with the keys below
    int64_t keys[TASKS] = {};
    Write regions, config;
    int64_t policy = 0;
    uint32_t now = 0;
};

struct Event {
    bool valid;
    int64_t cycle, kind, task, region, arg;
};

struct Outputs {
    bool release_ready, aborted, given_up, valid, spurious, fault, idle;
    int64_t task, region;
    bool switched, preempt, abort, resume;
    Event ready_event, issue_event;
};

template <class T>
void put(T &port, int64_t at, uint64_t value) {
    constexpr T mask = T((1ull << TIME_WIDTH) - 1);
    port = T(port & ~(mask << at)) | T(T(value & mask) << at);
}
template <std::size_t W>
void put(VlWide<W> &port, int64_t at, uint64_t value) {
    for (int64_t bit = 0; bit < TIME_WIDTH; bit++) {
        const int64_t where = at + bit;
        port[where / 32] = (port[where / 32] & ~(1u << where % 32)) | uint32_t(value >> bit & 1) << where % 32;
    }
}

template <class T>
void put_mask(T &port, uint64_t value) {
    port = T(value);
}
template <std::size_t W>
void put_mask(VlWide<W> &port, uint64_t value) {
    port[0] = uint32_t(value), port[1] = uint32_t(value >> 32);
}

class Device {
  public:
    explicit Device(int64_t mutant = 0) : top_(new Vtop{&context_}) {
#if HAS_MUTANTS
        top_->mutant = mutant;
#else
        (void)mutant;
#endif
        reset(2);
    }

    // The inputs stay as they are, as at a reset in the middle of a run.
    void reset(int64_t cycles) {
        top_->rst = 1;
        for (int64_t i = 0; i < cycles; i++) evaluate(), edge();
        top_->rst = 0;
    }

    Outputs evaluate(const Inputs &in) {
        constexpr int64_t mask = (1ll << TIME_WIDTH) - 1;
        Vtop &d = *top_;
        d.now = in.now, d.running = in.running, d.feedback = in.feedback, d.fail = in.fail, d.policy = in.policy;
        d.release_valid = in.release, d.release_task = in.task, d.release_key = in.key & mask;
        d.release_abort = in.abort, d.instruction_ready = in.ready;
        d.regions_valid = in.regions.valid, d.regions_task = in.regions.task;
        d.regions_field = in.regions.field, d.regions_value = in.regions.value;
        d.config_valid = in.config.valid, d.config_task = in.config.task;
        d.config_field = in.config.field, d.config_value = in.config.value;
        if (PARALLEL) {
            put_mask(d.released, in.released);
            for (int64_t i = 0; i < TASKS; i++)
                if (in.released >> i & 1) put(d.keys, i * TIME_WIDTH, uint64_t(in.keys[i]));
        }
        evaluate();
        return {
            bool(d.release_ready), bool(d.aborted), bool(d.given_up), bool(d.instruction_valid), bool(d.spurious),
            bool(d.fault), bool(d.idle), d.instruction_task, d.instruction_region, bool(d.instruction_switch),
            bool(d.instruction_preempt), bool(d.instruction_abort), bool(d.instruction_resume),
            {bool(d.ready_valid), d.ready_cycle, d.ready_kind, d.ready_task, d.ready_region, d.ready_arg},
            {bool(d.issue_valid), d.issue_cycle, d.issue_kind, d.issue_task, d.issue_region, d.issue_arg},
        };
    }

    void edge() {
        top_->clk = 1;
        top_->eval();
    }

    // Flip a stored bit: of a task's record, or of the heap's word at a position. See `flip.h`.
    int64_t flip(int64_t where, int64_t bit) { return flip_bit(*top_->rootp, where, bit); }

  private:
    VerilatedContext context_;
    std::unique_ptr<Vtop> top_;

    void evaluate() {
        top_->clk = 0;
        top_->eval();
    }
};
