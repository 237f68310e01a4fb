// Random inputs: phases of calm and of storms, with keys that tie, wrap and reach the edge of the modular window.
#pragma once
#include <deque>
#include <random>

#include "checker.h"

class Random {
  public:
    explicit Random(uint64_t seed) : engine_(seed) {}
    int64_t below(int64_t n) { return int64_t(engine_() % uint64_t(n)); }
    int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
    bool chance(double p) { return double(engine_() >> 11) < p * 9007199254740992.0; }

  private:
    std::mt19937_64 engine_;
};

class Environment {
  public:
    explicit Environment(uint64_t seed, Checker &checker) : random_(seed), checker_(checker) {
        in_.now = uint32_t(random_.below(1ll << 32));
        in_.policy = random_.below(POLICIES);
        horizon_ = random_.below(1 << 20);
        if (TIME_WIDTH > 20) // so that a run crosses 2^TIME_WIDTH
            horizon_ = (1ll << TIME_WIDTH) - (horizon_ >> 4);
        off_ = random_.below(2 * TASKS);
        for (int64_t task = 0; task < TASKS; task++) unwritten_.push_back(task);
        new_phase();
    }

    // Inputs of the cycle that begins; what the checker saw of the last one is known.
    const Inputs &next() {
        after_last();
        if (checker_.t >= phase_end_) new_phase();
        in_.now++;
        run_or_stop();
        host();
        in_.ready = random_.chance(phase_.ready);
        in_.fail = random_.chance(phase_.fail);
        feedback();
        if (in_.running && !holding_) generate();
        offer();
        return in_;
    }

    Random &random() { return random_; }
    const Inputs &inputs() const { return in_; }
    // No releases and no stops from now on; or the usual again.
    void hold(bool holding) {
        holding_ = holding;
        if (holding) queue_.clear(), sent_ = false;
    }
    // Cycles until the next reset.
    int64_t lifetime() { return random_.between(1, random_.chance(0.5) ? 200 : 5000); }
    void stop() { off_ = random_.between(1, 2 * TASKS); }

  private:
    enum class Keys { near, tied, far, ascending, descending };
    struct Phase {
        double density, burst, abort, ready, stop, fail;
        Keys keys;
        int64_t regions, feedback;  // the most of each
    };
    struct Pending {
        int64_t task, key;
        bool abort;
        int64_t since;
    };

    Random random_;
    Checker &checker_;
    Inputs in_;
    Phase phase_{};
    int64_t phase_end_ = 0, horizon_, feedback_in_ = -1, off_, cleared_ = TASKS;
    bool holding_ = false, sent_ = false;
    std::deque<int64_t> unwritten_;
    std::deque<Pending> queue_;

    void new_phase() {
        phase_end_ = checker_.t + random_.between(50, 600);
        const double densities[] = {0.0, 0.02, 0.1, 0.3, 1.0}, bursts[] = {0, 0.01, 0.05, 1};
        const int64_t regions[] = {1, 1, 2, 3, 8, MOST_REGIONS}, feedback[] = {0, 0, 2, 5, 60, 2 * LONGEST_REFILL};
        phase_.density = densities[random_.below(5)];
        phase_.burst = bursts[random_.below(4)];
        phase_.abort = random_.chance(0.5) ? 0 : 0.1;
        phase_.ready = random_.chance(0.7) ? 1 : 0.5;
        phase_.stop = random_.chance(0.7) ? 0 : 0.01;
        phase_.fail = random_.chance(0.6) ? 0 : random_.chance(0.5) ? 0.02 : 0.4;
        phase_.keys = Keys(random_.below(5));
        phase_.regions = regions[random_.below(6)];
        phase_.feedback = feedback[random_.below(6)];
    }

    void after_last() {
        if (sent_ && checker_.taken && !PARALLEL) {
            const Pending &head = queue_.front();
            // A release that aborts waits for a cycle without a decision; with least slack every region can switch.
            if (!ABORTS && !(KIND == Set::heap && REKEYS) && head.since > cleared_) {
                const int64_t visibility = checker_.t - 1 + VISIBLE - head.since;
                checker_.counts.longest_visibility = std::max(checker_.counts.longest_visibility, visibility);
                if (visibility > VISIBILITY) throw Mismatch{"a release can be chosen later than VISIBILITY says"};
            }
            queue_.pop_front();
        }
        if (checker_.decided) {
            const int64_t before = horizon_ >> TIME_WIDTH;
            horizon_ += random_.below(64);
            checker_.counts.wraps += before != horizon_ >> TIME_WIDTH;
        }
    }

    void run_or_stop() {
        if (in_.running && !holding_ && random_.chance(phase_.stop)) stop();
        const bool was = in_.running;
        in_.running = off_ == 0;
        off_ -= off_ > 0;
        if (was && !in_.running) {
            cleared_ = checker_.t + TASKS;
            if (random_.chance(0.5)) queue_.clear();
        }
    }

    bool free(int64_t task) {
        if (checker_.oracle.live(task) || checker_.regions[task] == 0) return false;  // 0: not written yet
        for (const Pending &pending : queue_)
            if (pending.task == task) return false;
        return true;
    }

    void host() {
        in_.regions.valid = in_.config.valid = false;
        int64_t task;
        if (!unwritten_.empty()) {
            task = unwritten_.front();
            unwritten_.pop_front();
        } else if (random_.chance(0.03)) {
            task = random_.below(TASKS);
            if (!free(task)) return;
        } else {
            if (REKEYS && random_.chance(0.1))  // another register
                in_.config = {true, random_.below(TASKS), random_.chance(0.5) ? BUDGET_FIELD ^ 1 : 0, 1000};
            return;
        }
        const int64_t count = random_.between(1, phase_.regions);
        in_.regions = {true, task, 0, count};
        checker_.regions[task] = count;
        if (REKEYS) {
            const int64_t budget = random_.chance(0.3) ? 0 : random_.below(50);
            in_.config = {true, task, BUDGET_FIELD, budget};
            checker_.work[task] = in_.policy == LEAST_SLACK ? budget : 0;
        }
    }

    void feedback() {
        if (checker_.valid && in_.ready) {  // the instruction is taken in this cycle
            feedback_in_ = random_.between(0, phase_.feedback);
            if (random_.chance(0.3)) feedback_in_ = random_.below(3);
        }
        in_.feedback = false;
        if (checker_.outstanding) {
            in_.feedback = feedback_in_ == 0;
            feedback_in_ -= feedback_in_ >= 0;
        } else {
            in_.feedback = random_.chance(0.02);
        }
    }

    void add(int64_t task, bool abort) {
        int64_t low = horizon_, high = horizon_;
        bool any = false;
        auto span = [&](int64_t from, int64_t to) {
            low = any ? std::min(low, from) : from;
            high = any ? std::max(high, to) : to;
            any = true;
        };
        for (const Job &job : checker_.oracle.jobs) span(job.key, job.key + (job.regions - job.next) * job.work);
        for (const Pending &p : queue_) span(p.key, p.key + checker_.regions[p.task] * checker_.work[p.task]);
        int64_t key = horizon_;
        if (phase_.keys == Keys::near) key += random_.between(-8, 8);
        if (phase_.keys == Keys::far) key += random_.between(-(1ll << (TIME_WIDTH - 1)), 1ll << (TIME_WIDTH - 1));
        if (phase_.keys == Keys::ascending) key = any ? high + random_.below(3) : key;
        if (phase_.keys == Keys::descending) key = any ? low - random_.below(3) : key;
        if (phase_.keys == Keys::tied || random_.chance(0.1)) key = random_.chance(0.5) ? low : high;
        // The window: live keys less than half the range apart.
        const int64_t widest = (1ll << (TIME_WIDTH - 1)) - 1, rise = checker_.regions[task] * checker_.work[task];
        if (any) key = std::max(high - widest, std::min(key, low + widest - rise));
        if (any && (key < high - widest || key + rise > low + widest)) return;
        checker_.counts.edges += any && (key == high - widest || key + rise == low + widest);
        if (PARALLEL) {
            in_.released |= 1ull << task;
            in_.keys[task] = key;
            queue_.push_back({task, key, false, checker_.t});
        } else {
            queue_.push_back({task, key, abort, checker_.t});
        }
    }

    void generate() {
        if (PARALLEL) queue_.clear(), in_.released = 0;
        if (random_.chance(phase_.burst * 0.2)) {
            const int64_t first = random_.below(TASKS), step = random_.chance(0.5) ? 1 : TASKS - 1;
            const double share = random_.chance(0.7) ? 1 : 0.5;
            for (int64_t i = 0; i < TASKS; i++) {
                const int64_t task = (first + i * step) % TASKS;
                if (free(task) && random_.chance(share)) add(task, false);
            }
        } else if (random_.chance(phase_.density)) {
            // Often the task whose job has just been given its last region.
            const int64_t last = checker_.last_decided;
            const int64_t task = last >= 0 && random_.chance(0.3) ? last : random_.below(TASKS);
            if (free(task)) add(task, ABORTS && random_.chance(phase_.abort));
        }
        if (ABORTS && random_.chance(phase_.abort)) {
            const int64_t last = checker_.last_decided;
            const int64_t task = last >= 0 && random_.chance(0.3) ? last : random_.below(TASKS);
            for (const Pending &p : queue_)
                if (p.task == task) return;
            add(task, true);
        }
    }

    void offer() {
        if (PARALLEL) {
            if (!in_.running || holding_) in_.released = 0, queue_.clear();
            in_.release = false;
            return;
        }
        sent_ = in_.release = !queue_.empty();
        if (in_.release) {
            const Pending &head = queue_.front();
            in_.task = head.task, in_.key = head.key, in_.abort = head.abort;
        } else {
            in_.task = random_.below(TASKS), in_.key = random_.below(1ll << TIME_WIDTH), in_.abort = random_.chance(0.5);
        }
    }
};
