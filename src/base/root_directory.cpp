// Opens, enters and forgets (libcap).
#include "base/root_directory.h"

#include <fcntl.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <memory>
#include <type_traits>

namespace muster {
namespace {

constexpr cap_value_t kChroot = CAP_SYS_CHROOT;

struct FreeCapabilities {
    void operator()(cap_t set) const { ::cap_free(set); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

bool isPermitted() {
    const Capabilities now(::cap_get_proc());
    cap_flag_value_t value = CAP_CLEAR;
    return now && ::cap_get_flag(now.get(), kChroot, CAP_PERMITTED, &value) == 0 &&
           value == CAP_SET;
}

/// All sets empty but for the one capability where it is asked for.
Result<void> setCapabilities(bool permitted, bool effective) {
    const Capabilities set(::cap_init());
    const bool filled =
        set &&
        (!permitted || ::cap_set_flag(set.get(), CAP_PERMITTED, 1, &kChroot, CAP_SET) == 0) &&
        (!effective || ::cap_set_flag(set.get(), CAP_EFFECTIVE, 1, &kChroot, CAP_SET) == 0);
    if (!filled || ::cap_set_proc(set.get()) < 0) {
        return errnoError("failed to set capabilities");
    }
    return {};
}

}  // namespace

Result<UniqueFd> openRoot(const std::string& path) {
    UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) {
        return errnoError("failed to chroot(" + path + ")");
    }
    return directory;
}

Result<void> keepPermitted(bool keep) {
    if (::prctl(PR_SET_KEEPCAPS, keep ? 1UL : 0UL, 0UL, 0UL, 0UL) < 0) {
        return errnoError("failed to prctl(PR_SET_KEEPCAPS)");
    }
    return {};
}

Result<void> reduceToChroot() {
    return setCapabilities(isPermitted(), false);
}

Result<void> enterRoot(UniqueFd directory, const std::string& path) {
    const bool isRoot = ::geteuid() == 0;
    if (!isRoot && isPermitted()) {
        if (auto raised = setCapabilities(true, true); !raised) {
            return raised;
        }
    }
    // By the descriptor and by ".", so that the path is not walked again as another user.
    if (::fchdir(directory.get()) < 0 || ::chroot(".") < 0) {
        return errnoError("failed to chroot(" + path + ")");
    }
    return isRoot ? Result<void>{} : setCapabilities(false, false);
}

}  // namespace muster
