// AXI4-Lite host of the simulation: one register access after the other, in the order they were queued.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <stdexcept>
#include <string>

template <class Top>
class AxiLiteHost {
  public:
    std::map<uint32_t, uint32_t> values;  // what the reads answered, by address

    void write(uint32_t address, uint32_t value) { queue_.push_back({true, address, value}); }
    void read(uint32_t address) { queue_.push_back({false, address, 0}); }
    bool idle() const { return queue_.empty(); }

    void drive(Top &top) {
        const bool busy = !queue_.empty();
        const Access now = busy ? queue_.front() : Access{};
        top.s_axi_awvalid = busy && now.write && !address_done_;
        top.s_axi_awaddr = now.address;
        top.s_axi_wvalid = busy && now.write && !data_done_;
        top.s_axi_wdata = now.value;
        top.s_axi_wstrb = 0xF;
        top.s_axi_bready = 1;
        top.s_axi_arvalid = busy && !now.write && !address_done_;
        top.s_axi_araddr = now.address;
        top.s_axi_rready = 1;
    }

    void sample(Top &top) {
        if (queue_.empty()) return;
        if (++waited_ > 10000)
            throw std::runtime_error("AXI4-Lite: no answer to the access at address " +
                                     std::to_string(queue_.front().address) + " within 10000 cycles");
        bool done = false;
        if (queue_.front().write) {
            address_done_ |= top.s_axi_awvalid && top.s_axi_awready;
            data_done_ |= top.s_axi_wvalid && top.s_axi_wready;
            done = top.s_axi_bvalid;
            if (done && top.s_axi_bresp) fail("write");
        } else {
            address_done_ |= top.s_axi_arvalid && top.s_axi_arready;
            done = top.s_axi_rvalid;
            if (done && top.s_axi_rresp) fail("read");
            if (done) values[queue_.front().address] = top.s_axi_rdata;
        }
        if (done) {
            queue_.pop_front();
            address_done_ = data_done_ = false;
            waited_ = 0;
        }
    }

  private:
    struct Access {
        bool write = false;
        uint32_t address = 0, value = 0;
    };
    void fail(const char *what) const {
        throw std::runtime_error(std::string("AXI4-Lite: error response to the ") + what + " at address " +
                                 std::to_string(queue_.front().address));
    }
    std::deque<Access> queue_;
    bool address_done_ = false, data_done_ = false;
    uint32_t waited_ = 0;
};
