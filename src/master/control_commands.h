// What the operator's commands do: JSON in, JSON out (docs/control-protocol.md).
//
// Owned by the master, which is the Operations of it. Every command is answered by any number of
// messages and one last line with the outcome, when there is one. Input is checked whole before
// anything is done.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "master/control_socket.h"
#include "master/pool_set.h"
#include "master/reload_order.h"

namespace muster::master {

/// What the master can be asked for.
class Operations {
  public:
    virtual void reload(ReloadOrder order) = 0;
    /// Reads and checks the files and changes nothing: what is wrong with them, or warned of.
    struct CheckResult {
        bool ok = false;
        std::vector<std::string> problems;
    };
    virtual CheckResult check() = 0;
    /// False: some log stays the old one; the error log says which.
    virtual bool reopenLogs() = 0;
    virtual void trace(pid_t worker, const Traces::OnDone& done) = 0;
    virtual const PoolSet& pools() const = 0;
    virtual std::string stateText() const = 0;
    virtual const std::string& configFile() const = 0;

  protected:
    ~Operations() = default;
};

class ControlCommands {
  public:
    ControlCommands(EventLoop& loop, log::ErrorLog& log, Operations& operations);

    ControlSocket& socket() { return socket_; }
    const ControlSocket& socket() const { return socket_; }

    /// After an upgrade: a connection whose order goes on. All other commands under way then end
    /// with `why`.
    [[nodiscard]] ReloadOrder::Waiter continued(ControlSocket::Connection connection);
    void apologise(const std::string& why);

  private:
    using Connection = ControlSocket::Connection;
    void onLine(Connection connection, const std::string& line);
    void dispatch(Connection connection, const nlohmann::json& request);
    void order(Connection connection, ReloadOrder order);
    void trace(Connection connection, const nlohmann::json& request);
    ReloadOrder::Waiter waiterOf(Connection connection);
    void succeed(Connection connection, nlohmann::json result);
    void fail(Connection connection, const std::string& why);
    void answer(Connection connection, nlohmann::json last);

    Operations* operations_;
    std::set<Connection> continued_;
    ControlSocket socket_;
};

}  // namespace muster::master
