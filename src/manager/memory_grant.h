// How a new worker lets its manager read its memory: one message with one descriptor.
//
// Sent in the child of the fork, before anything of a script runs there. The manager takes the
// first one only, and only a file that cannot make it wait.
#pragma once

#include "base/message_channel.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace muster::manager {

/// Child side. Fails where the process file system is not there, or the kernel is against it.
Result<void> grantMemory(MessageChannel& manager, int processTree);

/// The descriptor; none when the message is not a grant.
[[nodiscard]] UniqueFd memoryIn(ReceivedMessage& message);

}  // namespace muster::manager
