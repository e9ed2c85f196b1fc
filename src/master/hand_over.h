// All that crosses from the running master to the program that takes its place (design §2): plain
// data, and its bytes.
//
// The process stays the same, so pids and descriptor numbers mean the same on both sides; they are
// borrowed here. A line of fixed form comes first, which every version understands: who wrote it,
// in what version, and the descriptor of the program to go back to. The rest is CBOR by names:
// a reader leaves out what it does not know, and takes defaults for what is missing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/listen_socket.h"
#include "base/result.h"
#include "config/settings.h"
#include "log/syslog_writer.h"
#include "manager/inputs.h"
#include "manager/protocol.h"
#include "master/reload_order.h"
#include "scoreboard/layout.h"

namespace muster::master {

struct HandOver {
    /// A program that knows another version is not changed to.
    static constexpr int kVersion = 1;

    struct Listener {
        std::string address;  ///< as configured
        int fd = -1;
        std::string key;
        std::optional<SocketFile> file;
        bool inherited = false;
        ListenOptions options;
    };
    struct Client {
        int fd = -1;
        std::uint64_t id = 0;
        std::string in;
        std::string out;
        bool busy = false;
        bool ending = false;
    };
    struct Control {
        int fd = -1;  ///< -1: nobody listens
        std::string path;
        std::optional<SocketFile> file;
        std::vector<Client> clients;
    };
    struct Logs {
        int file = -1;  ///< -1: stderr
        std::string path;
        log::SyslogIdentity syslog;
        bool terminal = false;
        bool useLog = false;
        bool daemon = false;
        std::vector<int> numbers;  ///< open when the service was first started
        int out = -1;
        int err = -1;
    };
    struct Plan {
        manager::ManagerInputs inputs;
        int accessLog = -1;
        int slowLog = -1;
        int listener = -1;
        int statusListener = -1;
        std::string iniState;
    };
    struct Generation {
        Plan plan;
        pid_t pid = -1;
        bool draining = false;
        int channel = -1;
        int segment = -1;
        std::uint64_t launchedNs = 0;
        std::uint64_t deadlineNs = 0;  ///< of a drain
        scoreboard::Totals totals;     ///< for a reader that does not know the segment's layout
        scoreboard::Totals handedOn;
        std::uint32_t protocol = 0;     ///< manager::kProtocolVersion of the one that started it
        std::uint32_t messageSize = 0;  ///< … and its sizeof(ControlMessage)
    };
    struct Pool {
        std::string name;
        std::uint64_t startedWallNs = 0;
        std::optional<Generation> current;
        std::vector<Generation> leaving;
        std::optional<Plan> plan;
        scoreboard::Totals carried;
        bool paused = false;
        int failures = 0;
        int workersHeld = 0;   ///< process.max
        int workersAsked = 0;  ///< the same
    };
    /// A ReloadOrder; those who wait for it are connections of the control socket.
    struct Order {
        ReloadOrder order;
        std::vector<std::uint64_t> connections;
    };

    pid_t pid = 0;      ///< of writer and reader
    int previous = -1;  ///< O_PATH: the writer's program
    std::string version;
    std::string program;                 ///< path by which the service is started
    std::vector<std::string> arguments;  ///< for who reads it without taking over
    std::string configFile;
    config::GlobalSettings global;
    std::vector<Listener> listeners;
    Control control;
    Logs logs;
    std::vector<Pool> pools;
    std::vector<pid_t> bornWith;
    std::uint64_t fileLimitBefore = 0;  ///< of what is executed by the service; 0: the master's own
    Order order;                        ///< to be carried out first
    std::optional<Order> wanted;        ///< … and afterwards
    std::vector<std::string> problems;  ///< what went wrong so far, for those who wait

    /// Every descriptor above, ascending.
    [[nodiscard]] std::vector<int> descriptors() const;
};

[[nodiscard]] std::string encodeHandOver(const HandOver& handOver);
/// The error says what is wrong with it, another version included.
[[nodiscard]] Result<HandOver> decodeHandOver(const std::string& bytes);

/// What every version can read.
struct HandOverHead {
    int version = 0;
    pid_t pid = 0;
    int previous = -1;
};
/// Nothing: that is no hand-over.
[[nodiscard]] std::optional<HandOverHead> headOfHandOver(const std::string& bytes);

}  // namespace muster::master
