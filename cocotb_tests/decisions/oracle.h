// Earliest key first as a search over a list of live jobs: what the scheduler must decide, not how.
// Keys are unbounded integers; the hardware sees them modulo 2^TIME_WIDTH.
#pragma once
#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <vector>

struct Job {
    int64_t task, key, regions, work;  // `work`: what a region issued adds to the key (least slack)
    int64_t since;                     // first cycle in which a decision may choose it
    int64_t next = 0;                  // region to be issued next
};

struct Decision {
    int64_t task, region;
    bool switched, preempt, abort, resume, last;
};

class Oracle {
  public:
    std::vector<Job> jobs;  // the running one included, until its last region is issued
    uint64_t ties = 0, waiting_ties = 0;

    Job *find(int64_t task) {
        for (Job &job : jobs)
            if (job.task == task) return &job;
        return nullptr;
    }
    bool live(int64_t task) { return find(task) != nullptr; }
    bool runs(int64_t task) const { return task == running_; }

    void release(const Job &job) {
        if (live(job.task)) throw std::logic_error("the test released a live task");
        jobs.push_back(job);
    }

    // A live job is given up and replaced.
    void replace(const Job &job) {
        abandoned_ |= runs(job.task);
        remove(job.task);
        jobs.push_back(job);
    }

    bool running() const { return running_ >= 0; }
    // A job waits and may be chosen.
    bool rival(int64_t cycle) const {
        return std::any_of(jobs.begin(), jobs.end(),
                           [&](const Job &job) { return !runs(job.task) && job.since <= cycle; });
    }

    // The running job gets no further region.
    void give_up() {
        abandoned_ = true;
        remove(running_);
    }

    void forget() {
        jobs.clear();
        abandoned_ |= running_ >= 0;
        running_ = -1;
    }

    bool choice(int64_t cycle) const {
        return std::any_of(jobs.begin(), jobs.end(), [&](const Job &job) { return eligible(job, cycle); });
    }

    // Order: key, then the running job, then the lower task.
    Decision decide(int64_t cycle) {
        Job *best = nullptr;
        for (Job &job : jobs)
            if (eligible(job, cycle) && (!best || rank(job) < rank(*best))) best = &job;
        for (const Job &job : jobs)
            if (&job != best && eligible(job, cycle) && job.key == best->key)
                (runs(best->task) ? ties : waiting_ties)++;
        const bool switched = !runs(best->task);
        const Decision decision = {best->task, best->next, switched, switched && (running_ >= 0 || abandoned_),
                                   abandoned_, switched && best->next > 0, best->next + 1 == best->regions};
        running_ = best->task;
        abandoned_ = false;
        best->next++;
        best->key += best->work;
        if (decision.last) remove(decision.task);
        return decision;
    }

  private:
    int64_t running_ = -1;    // task, while it has regions left
    bool abandoned_ = false;  // the running job was aborted or given up, and nothing was decided since

    bool eligible(const Job &job, int64_t cycle) const { return job.since <= cycle || runs(job.task); }
    std::tuple<int64_t, bool, int64_t> rank(const Job &job) const { return {job.key, !runs(job.task), job.task}; }
    void remove(int64_t task) {
        jobs.erase(std::find_if(jobs.begin(), jobs.end(), [&](const Job &job) { return job.task == task; }));
        if (runs(task)) running_ = -1;
    }
};
