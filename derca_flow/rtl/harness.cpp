// Runs the generated accelerator: clock, reset, AXI4 memory, AXI4-Lite host, triggers, event log.
//
// Usage: harness DIR [VCD]. Reads DIR/script.txt (one command per line) and DIR/image.bin, writes DIR/events.bin,
// DIR/finishes.bin, DIR/dumps.bin, DIR/memory.bin, DIR/registers.txt and DIR/stats.txt, with steps DIR/steps.bin, and a
// waveform into the file VCD.
// Commands, a word and numbers in decimal; paths are arguments, because they may hold any character:
//   memory BYTES | horizon CYCLES | drain CYCLES | read_latency N | write_latency N | jitter N | stall PERMILLE | seed N | random 0/1
//   address HABIT | data HABIT | late N | phase N | exclusive 0/1   when the memory is ready, see axi_handshake.h
//   finish KIND               the event kind that ends a job
//   write ADDRESS VALUE       host write before the start;  start ADDRESS VALUE   the write that starts time
//   check ADDRESS VALUE       host read before the start that must answer VALUE
//   mark ADDRESS VALUE        host write when now reaches the horizon;  count ADDRESS   host read right after these
//   after ADDRESS             host read after the run
//   trigger CYCLE TASK RUN    pulse the task's trigger where now == CYCLE in a run, counted from 0; sorted by run and cycle
//   step WHEN CYCLE ADDRESS VALUE   after the first start, in the order given: a host write when now >= CYCLE in a run
//                             (WHEN 0), or when no run has gone on for CYCLE cycles (1); or as 0 a reset of design and
//                             memory (2). With steps the horizon ends nothing: `drain` cycles follow the last step.
//   output TASK ADDRESS BYTES a range of the task's results: recorded at each FINISH, then filled with 0xA5
//   vcd FIRST LAST            waveform between two values of `now` (only when built with tracing)
// Prints "cycle N" on stdout now and then. Exit code 0: ran to the horizon. 4: the design broke a rule. 5: this machine
// did not bear the run: a file cannot be read or written, memory is short. The reason is the last line of stderr.
//
// One iteration of the loop is one clock cycle: inputs set, settle with the clock low, sample, rising edge.
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>

#include "Vderca.h"
#include "axi_lite_host.h"
#include "axi_memory.h"
#include "harness_script.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

struct EventRecord {
    uint32_t cycle;
    uint16_t region, task;
    uint8_t kind, arg;
    uint16_t run;  // modulo 2^16
};
static_assert(sizeof(EventRecord) == 12, "read back with the same layout");

struct FinishRecord {
    uint32_t cycle, task, dump, run;
};

// A step's write took effect in cycle `now` of `run`, or after it (not `running`).
struct StepRecord {
    uint32_t run, running, now, pad;
};

// One bit per task, or, where the design takes one trigger per cycle, the task, or nothing (the last argument chooses).
template <class Top>
auto trigger(Top &top, uint64_t pulses, int) -> decltype(top.trigger_valid, void()) {
    if (pulses & (pulses - 1)) throw std::runtime_error("two triggers in one cycle, but the design takes one");
    top.trigger_valid = pulses != 0;
    top.trigger_task = pulses ? unsigned(__builtin_ctzll(pulses)) : 0;
}
template <class Top>
auto trigger(Top &top, uint64_t pulses, long) -> decltype(top.trigger, void()) {
    top.trigger = pulses;
}
template <class Top>
void trigger(Top &, uint64_t pulses, ...) {
    if (pulses) throw std::runtime_error("the design takes no triggers");
}

#if VM_TRACE
// A waveform file that notes when it cannot be written; the library would end the process without a reason.
class WaveFile : public VerilatedVcdFile {
  public:
    int failed = 0;  // errno

    ssize_t write(const char *data, ssize_t size) override {
        if (failed) return size;
        errno = 0;
        const ssize_t written = VerilatedVcdFile::write(data, size);
        if (written >= 0 || errno == EAGAIN || errno == EINTR) return written;
        failed = errno;
        return size;
    }
};
#endif

class Simulation {
  public:
    Simulation(std::string dir, std::string vcd, Script script)
        : dir_(std::move(dir)), script_(std::move(script)),
          memory_(read_image(dir_ + "/image.bin", script_.memory), script_.timing), top_(new Vderca{&context_}) {
#if VM_TRACE
        if (!vcd.empty()) {
            context_.traceEverOn(true);
            vcd_.reset(new VerilatedVcdC(&wave_));
            top_->trace(vcd_.get(), 99);
            vcd_->open(vcd.c_str());
            if (!vcd_->isOpen()) throw file_error("cannot write", "the waveform");
        }
#else
        if (!vcd.empty()) throw MachineError("this simulation was built without waveforms");
#endif
    }

    void run() {
        reset();
        for (const auto &check : script_.checks) host_.read(check.first);
        while (!host_.idle()) cycle();
        for (const auto &check : script_.checks)
            if (host_.values[check.first] != check.second)
                throw std::runtime_error("register at address " + std::to_string(check.first) + " reads " +
                                         std::to_string(host_.values[check.first]) + ", expected " +
                                         std::to_string(check.second) + ": the design does not match its platform");
        for (const auto &write : script_.writes) host_.write(write.first, write.second);
        host_.write(script_.start.first, script_.start.second);
        for (uint64_t limit = 20000 + 100 * script_.writes.size(); !top_->running; limit--) {
            if (!limit) throw std::runtime_error("the design does not run after it was started");
            cycle();
        }
        if (!script_.steps.empty()) return play();
        const auto began = std::chrono::steady_clock::now();
        const uint64_t first = t_;
        for (; uint64_t(top_->now) < script_.horizon; cycle()) {
            if (t_ - first > script_.horizon + 64) throw std::runtime_error("`now` does not count cycles");
            check_wave();
            if ((t_ - first) % kReport == kReport - 1) std::cout << "cycle " << t_ - first + 1 << std::endl;
        }
        seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        cycles_ = t_ - first;
        counting_ = false;
        host_.values.clear();
        for (const auto &mark : script_.marks) host_.write(mark.first, mark.second);
        for (uint32_t address : script_.counts) host_.read(address);
        for (uint64_t i = 0; i < script_.drain; i++) cycle();
        for (uint32_t address : script_.after) host_.read(address);
        while (!host_.idle()) cycle();
    }

    void write_results() {
#if VM_TRACE
        if (vcd_) vcd_->close();
#endif
        check_wave();
        write_records(dir_ + "/events.bin", events_.data(), events_.size());
        write_records(dir_ + "/finishes.bin", finishes_.data(), finishes_.size());
        write_records(dir_ + "/dumps.bin", dumps_.data(), dumps_.size());
        write_records(dir_ + "/memory.bin", memory_.bytes.data(), memory_.bytes.size());
        write_records(dir_ + "/steps.bin", steps_.data(), steps_.size());
        std::ofstream registers(dir_ + "/registers.txt");
        for (const auto &entry : host_.values) registers << entry.first << ' ' << entry.second << '\n';
        const BusCounters &c = memory_.counters;
        std::ofstream stats(dir_ + "/stats.txt");
        stats << "cycles " << cycles_ << "\nseconds " << seconds_ << "\nread_bursts " << c.read_bursts
              << "\nread_beats " << c.read_beats << "\nwrite_bursts " << c.write_bursts << "\nwrite_beats "
              << c.write_beats << "\nread_stalls " << c.read_stalls << "\nwrite_stalls " << c.write_stalls
              << "\nwithheld " << c.withheld << '\n';
        registers.close();
        stats.close();
        if (!registers || !stats) throw file_error("cannot write", "the results");
    }

  private:
    static constexpr uint64_t kReport = 1 << 20;  // cycles between two lines of progress
    static constexpr uint64_t kPatience = 1 << 22;  // cycles to wait for a step

    void reset() {
        top_->aresetn = 0;
        memory_.reset();
        was_running_ = false;
        trigger(*top_, 0, 0);
        top_->event_ready = 1;
        for (int i = 0; i < 4; i++) {
            memory_.drive(*top_, 0);
            host_.drive(*top_);
            edge();
        }
        top_->aresetn = 1;
    }

    // A history: one step after the other, each when it is due.
    void play() {
        host_.values.clear();
        for (const Step &step : script_.steps) {
            for (uint64_t limit = kPatience; !due(step); limit--) {
                if (!limit) throw std::runtime_error(std::string("step ") + std::to_string(steps_.size()) + ": " + (
                    step.when == Step::stopped ? "the run does not stop" : "no run starts, or `now` does not count"));
                cycle();
            }
            if (step.when == Step::reset) {
                steps_.push_back({uint32_t(run_), true, uint32_t(top_->now), 0});
                reset();
                continue;
            }
            host_.write(step.address, step.value);
            bool running = false;
            uint64_t now = 0;
            while (!host_.idle()) {  // the response follows the effect by one cycle
                running = was_running_, now = was_now_;
                cycle();
            }
            steps_.push_back({uint32_t(run_), running, uint32_t(now), 0});
        }
        for (uint64_t i = 0; i < script_.drain; i++) cycle();
        for (uint32_t address : script_.after) host_.read(address);
        while (!host_.idle()) cycle();
    }

    bool due(const Step &step) const {
        if (step.when == Step::stopped) return !top_->running && idle_for_ >= step.cycle;
        return top_->running && (step.when == Step::running || was_running_) && uint64_t(top_->now) >= step.cycle;
    }

    void edge() {
        top_->aclk = 0;
        top_->eval();
        dump(0);
        top_->aclk = 1;
        top_->eval();
        dump(1);
        t_++;
    }

    void cycle() {
        const bool running = top_->running;
        const uint64_t now = top_->now;
        if (running && !was_running_) {
            run_++;
            if (!memory_.quiet()) throw std::runtime_error("a run starts while the bus is busy with the one before");
        }
        idle_for_ = running ? 0 : idle_for_ + 1;
        uint64_t pulses = 0;
        for (; running && next_trigger_ < script_.triggers.size(); next_trigger_++) {
            const Trigger &next = script_.triggers[next_trigger_];
            if (next.run > run_ || (next.run == run_ && next.cycle > now)) break;
            if (next.run == run_ && next.cycle == now) pulses |= 1ull << next.task;
        }
        trigger(*top_, pulses, 0);
        memory_.drive(*top_, t_);
        host_.drive(*top_);
        top_->aclk = 0;
        top_->eval();
        dump(0);
        memory_.sample(*top_, t_, running && counting_);
        host_.sample(*top_);
        if (top_->event_valid) take_event();
        was_running_ = running, was_now_ = now;
        top_->aclk = 1;
        top_->eval();
        dump(1);
        t_++;
    }

    void take_event() {
        const EventRecord event = {uint32_t(top_->event_cycle), uint16_t(top_->event_region), uint16_t(top_->event_task),
                                   uint8_t(top_->event_kind), uint8_t(top_->event_arg), uint16_t(run_ < 0 ? 0 : run_)};
        if (event.cycle >= script_.horizon) return;
        events_.push_back(event);
        if (event.kind != script_.finish_kind) return;
        const auto found = script_.outputs.find(event.task);
        if (found == script_.outputs.end()) return;
        std::vector<uint8_t> bytes;
        for (const Range &range : found->second) {
            const auto begin = memory_.bytes.begin() + long(range.address);
            bytes.insert(bytes.end(), begin, begin + long(range.length));
            std::fill(begin, begin + long(range.length), uint8_t(0xA5));
        }
        auto &last = last_dump_[event.task];  // a result equal to the task's previous one is stored once
        if (last.second.empty() || last.second != bytes) {
            last.first = dump_count_++;
            dumps_.insert(dumps_.end(), bytes.begin(), bytes.end());
            last.second.swap(bytes);
        }
        finishes_.push_back({event.cycle, event.task, last.first, uint32_t(run_)});
    }

    void check_wave() const {
#if VM_TRACE
        if (wave_.failed) throw MachineError(std::string("cannot write the waveform: ") + std::strerror(wave_.failed));
#endif
    }

    void dump(int half) {
#if VM_TRACE
        const uint64_t now = top_->now;
        if (vcd_ && now >= script_.vcd_first && now <= script_.vcd_last) vcd_->dump(2 * t_ + uint64_t(half));
#else
        (void)half;
#endif
    }

    std::string dir_;
    Script script_;
    VerilatedContext context_;
    AxiMemory<Vderca> memory_;
    AxiLiteHost<Vderca> host_;
    std::unique_ptr<Vderca> top_;
#if VM_TRACE
    WaveFile wave_;
    std::unique_ptr<VerilatedVcdC> vcd_;
#endif
    uint64_t t_ = 0, cycles_ = 0;
    double seconds_ = 0;
    bool counting_ = true, was_running_ = false;
    uint64_t was_now_ = 0, idle_for_ = 0;
    int64_t run_ = -1;
    std::vector<StepRecord> steps_;
    size_t next_trigger_ = 0;
    std::vector<EventRecord> events_;
    std::vector<FinishRecord> finishes_;
    std::vector<uint8_t> dumps_;
    uint32_t dump_count_ = 0;
    std::map<unsigned, std::pair<uint32_t, std::vector<uint8_t>>> last_dump_;
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 2 && argc != 3) {
        std::cerr << "usage: harness DIR [VCD]\n";
        return 2;
    }
    try {
        const std::string dir = argv[1];
        Simulation simulation(dir, argc == 3 ? argv[2] : "", read_script(dir + "/script.txt"));
        try {
            simulation.run();
        } catch (const MachineError &) {
            throw;
        } catch (const std::exception &) {
            simulation.write_results();  // what led to the error
            throw;
        }
        simulation.write_results();
    } catch (const MachineError &error) {
        std::cerr << error.what() << '\n';
        return 5;
    } catch (const std::bad_alloc &) {
        std::cerr << "not enough memory for the simulated memory\n";
        return 5;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 4;
    }
    return 0;
}
