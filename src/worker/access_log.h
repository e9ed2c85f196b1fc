// A worker's writing end of the access log: one line, one write(2), into the newest file.
//
// Worker side. Borrows the descriptor it starts with and owns those that the manager sends after
// a reopening; a new one is taken before the next line, never in the midst of anything.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/message_channel.h"
#include "base/unique_fd.h"
#include "config/settings.h"
#include "log/access_format.h"
#include "log/error_log.h"

namespace muster::worker {

class AccessLog {
  public:
    struct Inputs {
        int fd = -1;        ///< -1: no access log
        int ordersFd = -1;  ///< taken over
        const std::atomic<std::uint32_t>* newestEpoch = nullptr;
        const log::AccessFormat* format = nullptr;
        const std::vector<config::KeyValue>* suppressedPaths = nullptr;
        log::ErrorLog* errors = nullptr;
    };
    explicit AccessLog(const Inputs& inputs);

    [[nodiscard]] bool isOn() const { return fd_ >= 0 && format_ != nullptr; }
    [[nodiscard]] bool needsCpu() const { return isOn() && format_->needsCpu(); }

    /// Unless access.suppress_path keeps quiet about this request.
    void write(const log::AccessFacts& facts);

  private:
    void takeNewest();
    [[nodiscard]] bool isSuppressed(const log::AccessFacts& facts) const;

    int fd_;
    std::uint32_t checkedEpoch_ = 0;  ///< the newest one we have looked for
    const std::atomic<std::uint32_t>* newestEpoch_;
    const log::AccessFormat* format_;
    const std::vector<config::KeyValue>* suppressedPaths_;
    log::ErrorLog* errors_;
    MessageChannel orders_;
    ReceivedMessage message_;
    UniqueFd reopened_;
    std::string line_;
};

}  // namespace muster::worker
