// The operator's socket: lines in, lines out, for those who may (docs/control-protocol.md).
//
// Owned by the master. A unix stream socket of mode 0600, or 0666 when others than its owner are
// allowed; who is at the other end is asked of the kernel (SO_PEERCRED, unix(7)) in any case. Never
// blocks; bounded: few connections, short lines in, one command of a connection at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/listen_socket.h"
#include "base/result.h"
#include "log/error_log.h"
#include "master/hand_over.h"

namespace muster::master {

class ControlSocket {
  public:
    using Connection = std::uint64_t;  ///< never used twice
    /// A line without its newline. Must be answered by send() and, in the end, finish().
    using OnLine = std::function<void(Connection, const std::string& line)>;

    ControlSocket(EventLoop& loop, log::ErrorLog& log, OnLine onLine);
    ~ControlSocket();
    ControlSocket(const ControlSocket&) = delete;
    ControlSocket& operator=(const ControlSocket&) = delete;

    /// Listens at `path` (empty: nowhere) for root, the master's own user and `users`. The same
    /// path again changes only who may. On failure it stays as it was.
    Result<void> listen(const std::string& path, std::set<uid_t> users);

    /// Does nothing when the connection is gone meanwhile. `line`: without a newline.
    void send(Connection connection, std::string_view line);
    /// The command is answered: the connection may bring the next one.
    void finish(Connection connection);

    /// For the program that takes over, and in that program: the socket, and whoever is connected.
    [[nodiscard]] HandOver::Control handOver() const;
    void adopt(HandOver::Control control, std::set<uid_t> users);
    /// The connections whose command is not answered yet.
    [[nodiscard]] std::vector<Connection> busy() const;

  private:
    struct Client {
        UniqueFd fd;
        std::string in;
        std::string out;
        bool busy = false;    ///< a command is being carried out
        bool ending = false;  ///< closed once all is sent
        EventLoop::Watch readWatch;
        EventLoop::Watch writeWatch;
    };

    void acceptSome();
    [[nodiscard]] bool mayConnect(int fd) const;
    void watch(Connection id, Client& client);
    void receive(Connection id);
    void takeLine(Connection id);
    void flush(Connection id);
    void refuse(Connection id, std::string_view why);
    void removeFile();

    EventLoop* loop_;
    log::ErrorLog* log_;
    OnLine onLine_;
    std::string path_;
    std::set<uid_t> users_;
    UniqueFd listener_;
    std::optional<SocketFile> file_;
    EventLoop::Watch listenWatch_;
    EventLoop::Watch retryWatch_;
    std::map<Connection, Client> clients_;
    Connection next_ = 1;
};

}  // namespace muster::master
