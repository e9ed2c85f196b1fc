// A worker's two ends of handing connections over: the way to its manager, and the queue all
// workers of the generation take from.
//
// Worker side. Nothing here blocks. The queue's number is watched by nobody: a flag in the
// scoreboard says that something is in it, and SIGURG that somebody should look.
#pragma once

#include <optional>
#include <string>

#include "base/message_channel.h"
#include "fastcgi/server_connection.h"
#include "worker/parked_connection.h"
#include "worker/worker.h"

namespace muster::worker {

class HandOver {
  public:
    explicit HandOver(const WorkerInputs& inputs);

    /// False for a worker whose manager hands nothing over.
    [[nodiscard]] bool possible() const { return queue_.fd() >= 0; }
    /// The manager says that something is in the queue; so it was, a moment ago.
    [[nodiscard]] bool waits() const;
    /// Something is in it: worth giving up a connection that may be just as good.
    [[nodiscard]] bool holds() const;
    /// The manager has room for idle connections beyond those that must be parked.
    [[nodiscard]] bool hasRoom() const;
    [[nodiscard]] std::optional<ParkedConnection> take();
    /// Only the manager accepts for now: connections wait in its queue that came before.
    [[nodiscard]] bool linesUp() const;
    /// … and nobody is to take one just now.
    [[nodiscard]] bool isHeld() const;
    /// Readable when something is in the queue.
    [[nodiscard]] int queueFd() const { return queue_.fd(); }
    /// Tells the manager of one that was given up because its peer has.
    void reportHungUp(const ParkedConnection& parked);
    /// What was received of its incomplete head.
    [[nodiscard]] static std::string headOf(const ParkedConnection& parked);

    /// Sends the connection, of which `facts` are known, to the manager; it stays open here, too.
    /// False when that is not possible now.
    [[nodiscard]] bool park(const fastcgi::ServerConnection& connection, ParkedFacts facts);
    /// Has the manager wait for a peer that still sends after its last answer.
    [[nodiscard]] bool linger(int connection);

  private:
    const scoreboard::Commands* commands_;
    MessageChannel manager_;  ///< a number of its own for the orders channel
    MessageChannel queue_;
    ReceivedMessage message_;
};

}  // namespace muster::worker
