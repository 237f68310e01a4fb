// What a run of the harness is asked to do (script.txt, see harness.cpp), and the files that it reads and writes.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "axi_memory.h"

struct Step {
    enum When { running, stopped, reset } when;
    uint64_t cycle;
    uint32_t address, value;
};

struct Trigger {
    uint64_t cycle;
    unsigned task;
    uint32_t run;
};

struct Range {
    uint64_t address, length;
};

struct Script {
    MemoryTiming timing;
    uint64_t horizon = 0, drain = 256, finish_kind = ~0ull, memory = 0;
    std::vector<std::pair<uint32_t, uint32_t>> writes, checks, marks;
    std::vector<uint32_t> counts, after;
    std::vector<Trigger> triggers;
    std::vector<Step> steps;
    std::map<unsigned, std::vector<Range>> outputs;
    std::pair<uint32_t, uint32_t> start{0, 0};
    uint64_t vcd_first = 0, vcd_last = 0;
};

// What the machine does not give.
struct MachineError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline MachineError file_error(const std::string &what, const std::string &path) {
    return MachineError(what + " " + path + (errno ? std::string(": ") + std::strerror(errno) : ""));
}

inline Script read_script(const std::string &path) {
    Script s;
    std::ifstream in(path);
    if (!in) throw file_error("cannot read", path);
    std::string line;
    while (std::getline(in, line)) {
        std::istringstream words(line);
        std::string command;
        uint64_t a = 0, b = 0, c = 0, d = 0;
        if (!(words >> command)) continue;
        words >> a >> b >> c >> d;
        if (command == "vcd") s.vcd_first = a, s.vcd_last = b;
        else if (command == "horizon") s.horizon = a;
        else if (command == "drain") s.drain = a;
        else if (command == "memory") s.memory = a;
        else if (command == "read_latency") s.timing.read_latency = a;
        else if (command == "write_latency") s.timing.write_latency = a;
        else if (command == "jitter") s.timing.jitter = a;
        else if (command == "stall") s.timing.stall_permille = a;
        else if (command == "seed") s.timing.seed = a;
        else if (command == "random") s.timing.random = a;
        else if (command == "address") s.timing.habits.address = a;
        else if (command == "data") s.timing.habits.data = a;
        else if (command == "late") s.timing.habits.late = a;
        else if (command == "phase") s.timing.habits.phase = a;
        else if (command == "exclusive") s.timing.habits.exclusive = a;
        else if (command == "finish") s.finish_kind = a;
        else if (command == "write") s.writes.push_back({uint32_t(a), uint32_t(b)});
        else if (command == "start") s.start = {uint32_t(a), uint32_t(b)};
        else if (command == "check") s.checks.push_back({uint32_t(a), uint32_t(b)});
        else if (command == "mark") s.marks.push_back({uint32_t(a), uint32_t(b)});
        else if (command == "count") s.counts.push_back(uint32_t(a));
        else if (command == "after") s.after.push_back(uint32_t(a));
        else if (command == "trigger") s.triggers.push_back({a, unsigned(b), uint32_t(c)});
        else if (command == "step") s.steps.push_back({Step::When(a), b, uint32_t(c), uint32_t(d)});
        else if (command == "output") s.outputs[unsigned(a)].push_back({b, c});
        else throw std::runtime_error("unknown command in script: " + line);
    }
    return s;
}

inline std::vector<uint8_t> read_image(const std::string &path, uint64_t size) {
    std::ifstream in(path, std::ios::binary);
    std::vector<uint8_t> bytes(size);
    in.read(reinterpret_cast<char *>(bytes.data()), std::streamsize(size));
    if (in.bad() || !in.is_open()) throw file_error("cannot read", path);
    return bytes;
}

template <class T>
void write_records(const std::string &path, const T *data, size_t count) {
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char *>(data), std::streamsize(count * sizeof(T)));
    out.close();
    if (!out) throw file_error("cannot write", path);
}
