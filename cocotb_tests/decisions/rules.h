// When the scheduler takes a release and when it may decide, from the declared timings alone.
#pragma once
#include <algorithm>
#include <cstdint>

#include "config.h"

class Rules {
  public:
    // All jobs are forgotten in cycle `t` (-1: the reset), and N cycles pass until the next decision.
    void forget(int64_t t) {
        decide_from_ = t + TASKS + 1;
        if (KIND == Set::scan) {
            open_from_ = t + TASKS + 1;
            window_begin_ = 0, window_end_ = -1;
        }
        if (KIND == Set::heap && begin_ > t) open_from_ = begin_;  // the next winner is no longer looked for
    }

    bool settled(int64_t t) const { return t >= decide_from_; }
    int64_t decide_from() const { return decide_from_; }
    bool quiet(int64_t t) const { return t >= decide_from_ && t >= open_from_; }
    bool clearing(int64_t t) const { return KIND == Set::scan && t < open_from_; }

    bool open(int64_t t, bool switches) const {
        if (KIND == Set::heap) return t >= open_from_ && !switches;
        if (KIND == Set::scan || REKEYS) return t >= open_from_ && t != closed_;
        return true;
    }

    void decided(int64_t t, bool switched) {
        closed_ = t + DECISION;
        if (switched) search(t);
    }

    void taken(int64_t t) {
        if (KIND == Set::heap) open_from_ = t + INTERVAL;
        if (KIND == Set::scan && window_begin_ <= t + 1 && t + 1 <= window_end_) window_end_++, decide_from_++;
    }

    void replaced(int64_t t) { search(t); }

  private:
    int64_t decide_from_ = TASKS, open_from_ = KIND == Set::scan ? TASKS : 0, closed_ = -1;
    int64_t begin_ = -1;                        // heap: the cycle in which the winner's place is filled
    int64_t window_begin_ = 0, window_end_ = -1;  // scan: cycles in which records are read

    void search(int64_t t) {
        if (KIND == Set::heap) {
            begin_ = std::max(t + 1, open_from_);
            decide_from_ = begin_ + REFILL - 1;
            open_from_ = begin_ + REMOVE;
        } else {
            decide_from_ = t + REFILL;
            window_begin_ = t + 2, window_end_ = t + 1 + TASKS;
        }
    }
};
