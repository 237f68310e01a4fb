// Flips of stored bits: the scheduler must say so before anything wrong is issued, and recover when it is stopped.
#pragma once
#include "environment.h"

class Faults {
  public:
    Faults(Checker &checker, Device &device, Environment &environment)
        : checker_(checker), device_(device), environment_(environment) {}

    // Between two cycles: perhaps flip a bit.
    void before() {
        if (state_ == State::none && checker_.t >= next_ && environment_.inputs().running) flip();
    }

    // After a cycle has been checked.
    void after(const Outputs &out) {
        const int64_t t = checker_.t;
        if (state_ == State::flipped) {
            if (!checker_.fault_allowed) return done();  // stopped meanwhile, everything is forgotten
            if (out.fault) return report();
            const Inputs &in = environment_.inputs();
            const bool rewritten = checker_.joined && (PARALLEL ? in.released >> victim_ & 1 : in.task == victim_);
            if (KIND == Set::tournament) throw Mismatch{"a record's flipped bit is no fault"};
            if (rewritten && KIND == Set::scan) {  // unless the old word is being read
                state_ = State::rewritten;
                until_ = t + 2;
            } else if (KIND == Set::scan && checker_.decided && searched_) {
                throw Mismatch{"a decision after the flipped record was read"};
            } else if (KIND == Set::heap && checker_.decided && checker_.last_decided == victim_) {
                throw Mismatch{"a job with a flipped bit was chosen"};
            }
            searched_ |= !checker_.rules.settled(t);
        } else if (state_ == State::rewritten) {
            if (!checker_.fault_allowed || out.fault || t >= until_) {
                checker_.fault_allowed = checker_.fault_allowed && out.fault;
                state_ = State::flipped;
                if (!checker_.fault_allowed) done();
                else report();
            }
        } else if (state_ == State::reported && t >= until_) {
            environment_.stop();
            state_ = State::stopping;
        } else if (state_ == State::stopping && !checker_.fault_allowed) {
            done();
        }
    }

  private:
    enum class State { none, flipped, rewritten, reported, stopping };
    Checker &checker_;
    Device &device_;
    Environment &environment_;
    State state_ = State::none;
    int64_t next_ = 100, victim_ = -1, until_ = 0;
    bool searched_ = false;

    void done() {
        state_ = State::none;
        environment_.hold(false);
        next_ = checker_.t + environment_.random().between(10, 300);
    }

    void report() {
        state_ = State::reported;
        checker_.counts.faults++;
        until_ = checker_.t + environment_.random().between(0, 3 * TASKS + 20);
        environment_.hold(true);
    }

    void flip() {
        Random &random = environment_.random();
        const int64_t t = checker_.t;
        if (!checker_.rules.quiet(t) || checker_.broken || checker_.decided || checker_.taken) return;
        std::vector<const Job *> waiting;
        for (const Job &job : checker_.oracle.jobs) {
            if (job.since > t) return;  // on its way
            if (!checker_.oracle.runs(job.task)) waiting.push_back(&job);
        }
        if (waiting.size() < 2) return;
        if (KIND == Set::heap) {
            victim_ = device_.flip(random.between(1, int64_t(waiting.size()) - 1), random.below(FLIP_BITS));
        } else {
            victim_ = random.below(TASKS);
            const bool live = checker_.oracle.live(victim_);
            // RAM is read when the winner is looked for: neither the winner nor the running job are read before they end.
            const Job *best = *std::min_element(waiting.begin(), waiting.end(), [](const Job *a, const Job *b) {
                return std::tie(a->key, a->task) < std::tie(b->key, b->task);
            });
            if (KIND == Set::scan && (checker_.oracle.runs(victim_) || victim_ == best->task)) return;
            // In registers, without a job only the live bits count.
            const int64_t bit = KIND == Set::tournament && !live ? TIME_WIDTH + random.below(2) : random.below(FLIP_BITS);
            device_.flip(victim_, bit);
        }
        state_ = State::flipped;
        searched_ = false;
        checker_.fault_allowed = true;
        checker_.counts.flips++;
    }
};
