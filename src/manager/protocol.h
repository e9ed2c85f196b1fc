// The control channel between master and pool manager: one fixed-size message type.
//
// Contract: nothing a manager sends is trusted by the master beyond its type; texts are cut,
// NUL-terminated on arrival and escaped when logged. Descriptors travel from the master only, with
// `logs`, `trace`, `heir` and `adopt`. The latter two are the ends of a channel between two
// generations, on which the older sends the connections nobody waits for: the master sees none of
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/message_channel.h"
#include "log/syslog_writer.h"
#include "scoreboard/layout.h"

namespace muster::manager {

enum class MessageType : std::uint32_t {
    // manager → master
    loaded = 1,    ///< the runtime stands; waiting for start
    ready = 2,     ///< the first workers accept
    failed = 3,    ///< cannot become ready; `text` says why; the manager exits
    crashed = 4,   ///< a worker died by SIGSEGV or SIGBUS
    wantRoom = 5,  ///< process.max: `value` more workers are wanted than may be forked
    freeRoom = 6,  ///< … `value` of those that may be forked are not needed
    traced = 7,    ///< answers `trace`; `value`: 1 when the memfd is filled, else `text` says why
    quiet = 8,     ///< answers `drain`: no worker accepts any more
    lost = 9,      ///< a worker that was not told to leave died of a signal or with an error
    // master → manager
    start = 101,      ///< fork the first workers; `totals` of the generation before; `value`: how
                      ///< many process.max allows for a start. After a drain `aside`: again
    drain = 102,      ///< finish what was accepted; `value`: a DrainMode; `deadlineMs`
    logs = 103,       ///< new descriptors: error log, then access log and slow log if the pool
                      ///< has them; of syslog `value` is 1 + the facility, `text` the ident
    addTotals = 104,  ///< what an earlier generation counted since `start`
    heir = 105,       ///< a channel: where parked connections go once this generation drains
    adopt = 106,      ///< a channel: parked connections of an earlier generation come from there
    room = 107,       ///< process.max: `value` more workers may be forked
    trace = 108,      ///< what does the worker of pid `value` do? `ticket`; a memfd for the answer
    endNow = 109,     ///< kill the workers and leave
};

enum class DrainMode : std::uint32_t {
    replaced = 1,    ///< another generation serves the socket
    stop = 2,        ///< the service ends
    lastOrders = 3,  ///< nobody serves the socket from now on: whoever waits in it is served yet
    aside = 4,       ///< as replaced, but the manager stays: it may be told to start again
};

/// How a manager ends: its exit status.
enum class ManagerExit : int {
    done = 0,          ///< drained or terminated as told
    cannotStart = 70,  ///< never became ready; the reason went over the channel and to the log
    idle = 71,         ///< a lazy one without work: nothing is accepted that is not answered
};

/// Of messages and what they mean. A manager of another version, or with messages of another size,
/// is left over from a program that was replaced: it understands SIGQUIT and SIGTERM.
inline constexpr std::uint32_t kProtocolVersion = 2;

struct ControlMessage {
    MessageType type{};
    std::uint32_t value = 0;
    std::uint64_t deadlineMs = 0;
    std::uint64_t ticket = 0;
    scoreboard::Totals totals{};
    char text[512] = {};

    void setText(std::string_view words);
};

/// MessageType::logs and what it says of syslog.
[[nodiscard]] ControlMessage logsMessage(const std::optional<log::SyslogIdentity>& syslog);
[[nodiscard]] std::optional<log::SyslogIdentity> syslogIn(const ControlMessage& logs);

Result<void> sendControl(MessageChannel& channel, const ControlMessage& message,
                         std::span<const int> descriptors = {});

/// The message in what was received; nothing when it is not one of ours (wrong size or type).
[[nodiscard]] std::optional<ControlMessage> parseControl(const ReceivedMessage& received);

}  // namespace muster::manager
