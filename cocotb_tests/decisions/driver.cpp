// Random decisions of a scheduler, checked in every cycle.
//   driver random SEED DECISIONS     one run; a line of counts, or the failure with the events that led to it
//   driver faults SEED DECISIONS     the same with flips of stored bits
//   driver mutants SEED DECISIONS FIRST LAST    a line per mutant: its number, "killed" or "survived", and by what
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "faults.h"

double sc_time_stamp() { return 0; }

// Verilator's answer to logic that does not settle, which a mutant may contain.
void vl_fatal(const char *, int, const char *, const char *message) { throw Mismatch{message}; }

struct Result {
    std::string failure, events;
    Counts counts;
    uint64_t ties = 0, waiting_ties = 0;
};

class Trail {  // the last cycles
  public:
    void add(int64_t t, const Inputs &in, const Outputs &out) {
        if (!(in.release && out.release_ready) && !in.feedback && !out.issue_event.valid && !in.released && in.running)
            return;
        Entry &entry = entries_[count_++ % LENGTH];
        entry.t = t, entry.in = in, entry.out = out;
    }

    std::string text() const {
        std::string all;
        char line[300];
        for (uint64_t i = count_ > LENGTH ? count_ - LENGTH : 0; i < count_; i++) {
            const Entry &e = entries_[i % LENGTH];
            std::snprintf(line, sizeof line, "  cycle %lld:", (long long)e.t);
            all += line;
            if (!e.in.running) all += " stopped";
            if (e.in.feedback) all += " feedback";
            if (e.out.fault) all += " fault";
            if (e.in.release && e.out.release_ready) {
                std::snprintf(line, sizeof line, " release task %lld key %lld%s%s", (long long)e.in.task,
                              (long long)e.in.key, e.in.abort ? " abort" : "", e.out.aborted ? " (aborted)" : "");
                all += line;
            }
            for (int64_t task = 0; PARALLEL && task < TASKS; task++)
                if (e.in.released >> task & 1)
                    all += " release task " + std::to_string(task) + " key " + std::to_string(e.in.keys[task]);
            if (e.out.issue_event.valid) {
                std::snprintf(line, sizeof line, " issues task %lld region %lld%s", (long long)e.out.task,
                              (long long)e.out.region, e.out.switched ? " switch" : "");
                all += line;
            }
            all += "\n";
        }
        return all;
    }

  private:
    static constexpr uint64_t LENGTH = 24;
    struct Entry {
        int64_t t;
        Inputs in;
        Outputs out;
    };
    Entry entries_[LENGTH];
    uint64_t count_ = 0;
};

// Lives of one device, with a reset after each: in whatever state and under whatever inputs that meets it.
Result run(uint64_t seed, uint64_t decisions, bool flips, int64_t mutant = 0) {
    Trail trail;
    Result result;
    const uint64_t most = 400 * decisions + 100000;  // cycles; far more than needed
    std::optional<Device> device;
    for (uint64_t life = 0; result.failure.empty() && result.counts.decisions < decisions; life++) {
        Checker checker;
        checker.counts = result.counts;
        try {
            if (!device) device.emplace(mutant);
            Environment environment(seed + (life << 32), checker);
            Faults faults(checker, *device, environment);
            const int64_t end = environment.lifetime();
            while (checker.t < end && checker.counts.decisions < decisions) {
                const Inputs &in = environment.next();
                if (flips) faults.before();
                const Outputs out = device->evaluate(in);
                trail.add(checker.t, in, out);
                checker.check(in, out);
                if (flips) faults.after(out);
                device->edge();
                if (checker.counts.cycles > most) throw Mismatch{"the decisions do not come"};
            }
            device->reset(environment.random().between(1, 2));
        } catch (const Mismatch &mismatch) {
            result.failure = "reset " + std::to_string(life) + ", cycle " + std::to_string(checker.t) + ": " + mismatch.what;
            result.events = trail.text();
        }
        result.counts = checker.counts;
        result.counts.resets = life;
        result.ties += checker.oracle.ties;
        result.waiting_ties += checker.oracle.waiting_ties;
    }
    return result;
}

void print(const Result &result) {
    const Counts &c = result.counts;
    std::printf(
        "{\"case\": \"%s\", \"cycles\": %llu, \"decisions\": %llu, \"switches\": %llu, \"preemptions\": %llu, "
        "\"resumes\": %llu, \"ties\": %llu, \"waiting ties\": %llu, \"wraps\": %llu, \"edges\": %llu, \"releases\": %llu, "
        "\"releases with a decision\": %llu, \"releases with an issue\": %llu, "
        "\"releases with the end of the task's job\": %llu, \"aborts\": %llu, \"aborted running\": %llu, "
        "\"aborts too late\": %llu, \"given up\": %llu, \"stops\": %llu, \"spurious\": %llu, \"resets\": %llu, \"flips\": %llu, \"faults\": %llu, "
        "\"longest refill\": %lld, \"longest visibility\": %lld, \"declared refill\": %lld, "
        "\"declared visibility\": %lld}\n",
        CASE, (unsigned long long)c.cycles, (unsigned long long)c.decisions, (unsigned long long)c.switches,
        (unsigned long long)c.preemptions, (unsigned long long)c.resumes, (unsigned long long)result.ties,
        (unsigned long long)result.waiting_ties, (unsigned long long)c.wraps,
        (unsigned long long)c.edges, (unsigned long long)c.releases,
        (unsigned long long)c.with_decision, (unsigned long long)c.with_issue, (unsigned long long)c.reborn,
        (unsigned long long)c.aborts, (unsigned long long)c.abandoned, (unsigned long long)c.unanswered_aborts, (unsigned long long)c.given_up,
        (unsigned long long)c.stops, (unsigned long long)c.spurious, (unsigned long long)c.resets, (unsigned long long)c.flips,
        (unsigned long long)c.faults, (long long)c.longest_refill, (long long)c.longest_visibility,
        (long long)LONGEST_REFILL, (long long)VISIBILITY);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: driver random|faults|mutants SEED DECISIONS [FIRST LAST]\n");
        return 2;
    }
    const uint64_t seed = std::strtoull(argv[2], nullptr, 10), decisions = std::strtoull(argv[3], nullptr, 10);
    const bool flips = !std::strcmp(argv[1], "faults");
    if (std::strcmp(argv[1], "mutants")) {
        const Result result = run(seed, decisions, flips);
        if (result.failure.empty()) return print(result), 0;
        std::fprintf(stderr, "%s: %s\n%srepeat with: driver %s %s %s\n", CASE, result.failure.c_str(),
                     result.events.c_str(), argv[1], argv[2], argv[3]);
        return 1;
    }
    for (int64_t mutant = std::atoll(argv[4]); mutant <= std::atoll(argv[5]); mutant++) {
        Result result;
        const char *by = "random";
        for (uint64_t i = 0; i < 4 && result.failure.empty(); i++) {  // several resets
            result = run(seed + i, decisions / 4, false, mutant);
        }
        if (result.failure.empty()) by = "faults", result = run(seed, decisions / 4, true, mutant);
        std::printf("%lld\t%s\t%s\t%s\n", (long long)mutant, result.failure.empty() ? "survived" : "killed",
                    result.failure.empty() ? "" : by, result.failure.c_str());
        std::fflush(stdout);
    }
    return 0;
}
