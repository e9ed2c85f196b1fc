// Opens and keeps listening sockets.
#include "master/listeners.h"

#include <utility>

#include "master/identities.h"

namespace muster::master {

Result<int> Listeners::acquire(const config::PoolSettings& pool) {
    return acquire(pool, pool.listen, pool.listenBacklog);
}

Result<int> Listeners::acquire(const config::PoolSettings& pool, const std::string& address) {
    return acquire(pool, address, ListenOptions{}.backlog);
}

Result<int> Listeners::acquire(const config::PoolSettings& pool, const std::string& address,
                               int backlog) {
    if (const auto known = listeners_.find(address); known != listeners_.end()) {
        return known->second.fd.get();
    }
    auto options = resolveListenOptions(pool);
    if (!options) {
        return tl::make_unexpected(options.error());
    }
    options->backlog = backlog;
    auto fd = openListener(address, *options);
    if (!fd) {
        Error error = fd.error();
        if (error.what.starts_with("failed to chown")) {
            error.what.insert(0, "[pool " + pool.name + "] ");
        }
        return tl::make_unexpected(std::move(error));
    }
    Listener listener;
    if (parseListenAddress(address).kind == ListenAddress::Kind::unixPath) {
        listener.file = identifySocketFile(address);
    }
    listener.fd = std::move(*fd);
    const int number = listener.fd.get();
    listeners_.emplace(address, std::move(listener));
    return number;
}

void Listeners::keepOnly(const std::set<std::string>& addresses) {
    for (auto entry = listeners_.begin(); entry != listeners_.end();) {
        if (addresses.contains(entry->first)) {
            ++entry;
            continue;
        }
        if (entry->second.file) {
            removeSocketFile(*entry->second.file);
        }
        entry = listeners_.erase(entry);
    }
}

std::set<std::string> Listeners::addresses() const {
    std::set<std::string> all;
    for (const auto& [address, listener] : listeners_) {
        all.insert(address);
    }
    return all;
}

}  // namespace muster::master
