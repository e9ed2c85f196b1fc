// What a connection that waits asks for, seen without taking anything from it.
//
// Manager process. Looks at the bytes that are there, bounded; all of them are hostile. What it
// cannot tell is for a worker to find out.
#pragma once

#include "fastcgi/request_reader.h"
#include "worker/parked_connection.h"

namespace muster::manager {

class HeadSight {
  public:
    HeadSight() : reader_(fastcgi::ParamsLimits{}) {}

    enum class Sight {
        request,  ///< a whole head: params() has it until the next look
        partial,  ///< not all of a head is there
        nothing,  ///< not a byte is
        garbage,  ///< outside the protocol
        unclear,  ///< something else, or more than is looked at
        gone,     ///< the peer has closed
    };
    [[nodiscard]] Sight look(const worker::ParkedConnection& parked);
    [[nodiscard]] fastcgi::Params& params() { return reader_.params(); }

    /// After `partial`: takes the bytes that were seen out of the connection into its head, so that
    /// it is readable only when there are more. False when that is not possible.
    [[nodiscard]] bool absorb(worker::ParkedConnection& parked);

  private:
    fastcgi::RequestReader reader_;
    std::size_t seen_ = 0;
};

}  // namespace muster::manager
