// musterctl's end of the control socket: one command, its outcome (docs/control-protocol.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster::ctl {

/// Where a running muster listens: $MUSTER_CONTROL, else the one *.ctl socket in /run/muster,
/// /run/php and /run. An error says what to do.
[[nodiscard]] Result<std::string> findSocket();

class ControlClient {
  public:
    [[nodiscard]] static Result<ControlClient> connect(const std::string& path);

    /// Sends the command and waits for its last line, however long that takes. An error when there
    /// was none; what the command itself says of its success is in the answer.
    [[nodiscard]] Result<nlohmann::json> run(nlohmann::json command);

  private:
    explicit ControlClient(UniqueFd fd) : fd_(std::move(fd)) {}
    [[nodiscard]] Result<std::string> readLine();

    UniqueFd fd_;
    std::string buffered_;
};

}  // namespace muster::ctl
