// Rules of the directives by which the service and its pools defend themselves: who may connect,
// and what may run.
#include <sys/stat.h>

#include "base/identity.h"
#include "base/listen_address.h"
#include "config/checks.h"
#include "config/text.h"

namespace muster::config {
namespace {

void checkUsers(const CheckContext& context, const std::string& list) {
    for (const std::string& user : pieces(list, ',')) {
        if (!findUserId(user)) {
            context.report(LogLevel::error, "cannot get uid for user '" + verbatim(user) + "'",
                           context.found(context.name, user) +
                               ", expected existing users or numeric ids, separated by commas");
        }
    }
}

}  // namespace

void checkAllowedUsers(CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    if (!pool.listenAllowedUsers) {
        return;
    }
    if (!pool.listen.empty() &&
        parseListenAddress(pool.listen).kind != ListenAddress::Kind::unixPath) {
        context.report(LogLevel::error, "'listen.allowed_users' needs a unix socket to listen on",
                       context.found("listen.allowed_users", *pool.listenAllowedUsers) + ", " +
                           context.found("listen", pool.listen) +
                           ": over TCP nobody knows the user, there is listen.allowed_clients");
    }
    checkUsers(context, *pool.listenAllowedUsers);
}

void checkControlUsers(CheckContext& context) {
    checkUsers(context, context.global.controlAllowedUsers);
}

void checkExecBasedir(CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    for (const std::string& directory : pieces(pool.execBasedir, ':')) {
        const std::string subject = "the security.exec_basedir path '" + verbatim(directory) + "' ";
        const std::string found = context.found("security.exec_basedir", directory);
        struct stat info {};
        if (!directory.starts_with('/')) {
            context.report(LogLevel::error, subject + "must start with a '/'",
                           found + ", expected absolute paths, separated by colons");
        } else if (const std::string whole = pool.chroot + directory;
                   ::stat(whole.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
            context.report(LogLevel::warning, subject + "does not exist or is not a directory",
                           found + ", nothing runs there until it does");
        }
    }
}

}  // namespace muster::config
