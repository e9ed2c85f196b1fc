// Exit statuses of the service (spec lifecycle §1.3).
#pragma once

namespace muster::master {

inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 64;
inline constexpr int kExitSoftware = 70;
inline constexpr int kExitConfiguration = 78;

}  // namespace muster::master
