// What must happen in every cycle, compared with what happens.
#pragma once
#include <string>

#include "device.h"
#include "oracle.h"
#include "rules.h"

struct Mismatch {
    std::string what;
};

struct Counts {
    uint64_t cycles = 0, decisions = 0, switches = 0, preemptions = 0, resumes = 0, aborts = 0, abandoned = 0,
             unanswered_aborts = 0, stops = 0, spurious = 0, releases = 0, with_decision = 0, with_issue = 0,
             reborn = 0, wraps = 0, edges = 0, given_up = 0, resets = 0, flips = 0, faults = 0;
    int64_t longest_refill = 0, longest_visibility = 0;
};

class Checker {
  public:
    Oracle oracle;
    Rules rules;
    Counts counts;
    int64_t t = 0;
    bool outstanding = false, valid = false, broken = false;
    bool decided = false, taken = false, joined = false;  // in the cycle checked last
    int64_t last_decided = -1;            // task
    bool fault_allowed = false;           // a stored bit was flipped
    int64_t regions[TASKS] = {}, work[TASKS] = {};

    void check(const Inputs &in, const Outputs &out) {
        const bool stop = was_running_ && !in.running;
        const bool issued = decided;
        const bool due = !outstanding || in.feedback;
        const bool possible = due && in.running && !broken && !out.fault && !valid && oracle.choice(t);
        const bool fires = possible && rules.settled(t);
        if (possible && t >= last_search_ + LONGEST_REFILL && t >= cleared_ && !fires)
            throw Mismatch{"a decision is late although the last switch is LONGEST_REFILL back"};

        // -- the instruction decided before, with its event
        equal("instruction valid", out.valid, valid);
        if (valid) {
            equal("instruction task", out.task, now_.task);
            equal("instruction region", out.region, now_.region);
            equal("instruction switch", out.switched, now_.switched);
            equal("instruction preempt", out.preempt, now_.preempt);
            equal("instruction abort", out.abort, now_.abort);
            equal("instruction resume", out.resume, now_.resume);
        }
        event("issue event", out.issue_event, issued, in.now, ISSUE, now_.task, now_.region);
        equal("spurious", out.spurious, in.feedback && !outstanding);
        if (!fault_allowed) equal("fault", out.fault, false);

        // -- a decision: seen in the next cycle
        Decision next{};
        if (fires) next = oracle.decide(t);

        // -- a failed job
        const bool gives_up = in.fail && oracle.running() && oracle.rival(t) && rules.settled(t) && outstanding &&
                              !in.feedback && !issued && !in.release;
        if (!broken && !out.fault) equal("given up", out.given_up, gives_up);
        if (out.given_up && oracle.running()) oracle.give_up(), counts.given_up++;

        // -- a release
        const bool refused = ABORTS && in.abort && (fires || issued);
        const bool open = rules.open(t, fires && next.switched) && !refused;
        equal("release ready", out.release_ready, open);
        taken = in.release && open;
        const bool answered = taken && in.abort && oracle.live(in.task);
        if (!in.abort) equal("aborted", out.aborted, false);
        const bool trusted = !broken && !out.fault;
        if (taken && in.abort && trusted) equal("aborted", out.aborted, answered);
        const bool joins = joined = taken && (!in.abort || answered);
        if (trusted) event("ready event", out.ready_event, joins, in.now, READY, in.task, 0);

        idle(out.idle, in);

        // -- the cycle ends
        if (valid && in.ready) valid = false;
        if (in.feedback) outstanding = false;
        if (fires) decide(next);
        if (joins) {
            release(in.task, in.key, answered, fires, issued);
            rules.taken(t);
            if (answered) rules.replaced(t), last_search_ = t;
        }
        counts.unanswered_aborts += taken && in.abort && !answered;
        if (PARALLEL)
            for (int64_t task = 0; task < TASKS; task++)
                if (in.released >> task & 1) release(task, in.keys[task], false, fires, issued), taken = joined = true;
        decided = fires;
        broken = in.running && (broken || out.fault);
        counts.spurious += in.feedback && out.spurious;
        if (stop) {
            oracle.forget();
            rules.forget(t);
            cleared_ = t + TASKS + 1;
            broken = fault_allowed = false;
            counts.stops++;
        }
        if (last_search_ >= cleared_) counts.longest_refill = std::max(counts.longest_refill, rules.decide_from() - last_search_);
        if (taken || fires || stop || !oracle.jobs.empty() || valid) busy_ = t;
        was_running_ = in.running;
        t++;
        counts.cycles++;
    }

  private:
    Decision now_{};
    bool was_running_ = false;
    int64_t last_search_ = -1000000, cleared_ = TASKS, busy_ = 0, ended_ = -1;

    static void equal(const char *what, int64_t found, int64_t expected) {
        if (found != expected)
            throw Mismatch{std::string(what) + ": " + std::to_string(found) + ", expected " + std::to_string(expected)};
    }

    static void event(const char *what, const Event &found, bool valid, int64_t now, int64_t kind, int64_t task,
                      int64_t region) {
        equal(what, found.valid, valid);
        if (!valid) return;
        equal(what, found.cycle, now);
        equal(what, found.kind, kind);
        equal(what, found.task, task);
        equal(what, found.region, region);
        equal(what, found.arg, 0);
    }

    void idle(bool found, const Inputs &in) {
        if (fault_allowed || broken) return;
        if (found && (valid || !oracle.jobs.empty())) throw Mismatch{"idle while a job lives"};
        if (!found && !in.release && t > busy_ + LONGEST_REFILL + VISIBLE + TASKS) throw Mismatch{"not idle, yet empty"};
    }

    void decide(const Decision &next) {
        valid = outstanding = true;
        now_ = next;
        last_decided = next.task;
        ended_ = next.last ? next.task : -1;
        rules.decided(t, next.switched);
        if (next.switched) last_search_ = t;
        counts.decisions++;
        counts.switches += next.switched;
        counts.preemptions += next.preempt;
        counts.resumes += next.resume;
        counts.abandoned += next.abort;
    }

    void release(int64_t task, int64_t key, bool replaces, bool fires, bool issued) {
        const Job job = {task, key, regions[task], work[task], t + VISIBLE};
        if (replaces) oracle.replace(job);
        else oracle.release(job);
        counts.releases++;
        counts.aborts += replaces;
        counts.with_decision += fires;
        counts.with_issue += issued;
        counts.reborn += issued && task == ended_;
    }
};
