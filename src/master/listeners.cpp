// Opens and keeps listening sockets.
#include "master/listeners.h"

#include <fmt/format.h>

#include <utility>

#include "master/listen_options.h"

namespace muster::master {

Listeners::Listeners(log::ErrorLog& log, InheritedSockets inherited)
    : say_([&log](LogLevel level, const std::string& text) { log.write(level, text); }),
      inherited_(std::move(inherited)) {}

Result<int> Listeners::acquire(const config::PoolSettings& pool) {
    return acquire(pool, pool.listen, pool.listenBacklog);
}

Result<int> Listeners::acquire(const config::PoolSettings& pool, const std::string& address) {
    return acquire(pool, address, ListenOptions{}.backlog);
}

Result<int> Listeners::acquire(const config::PoolSettings& pool, const std::string& address,
                               int backlog) {
    auto options = optionsFor(pool, address, backlog);
    if (!options) {
        return tl::make_unexpected(options.error());
    }
    if (const auto known = listeners_.find(address); known != listeners_.end()) {
        if (known->second.options != *options) {
            known->second.wanted = std::move(*options);
        }
        return known->second.fd.get();
    }
    auto listener = open(address, *options);
    if (!listener) {
        return tl::make_unexpected(listener.error());
    }
    listener->options = std::move(*options);
    const int number = listener->fd.get();
    listeners_.emplace(address, std::move(*listener));
    return number;
}

Result<ListenOptions> Listeners::optionsFor(const config::PoolSettings& pool,
                                            const std::string& address, int backlog) {
    Result<ListenOptions> options;
    if (parseListenAddress(address).kind == ListenAddress::Kind::unixPath) {
        options = resolveListenOptions(pool, say_);
    }
    if (options) {
        options->backlog = backlog;
    }
    return options;
}

void Listeners::applyChanges() {
    for (auto& [address, listener] : listeners_) {
        if (!listener.wanted) {
            continue;
        }
        const auto adjusted = adjustListener(
            listener.fd.get(), listener.file ? &*listener.file : nullptr, *listener.wanted);
        if (adjusted) {
            listener.options = std::move(*listener.wanted);
            say_(LogLevel::notice, "the listening socket '" + address + "' has new settings");
        } else {
            say_(LogLevel::error, adjusted.error().text());
        }
        listener.wanted.reset();
    }
}

void Listeners::forgetChanges() {
    for (auto& [address, listener] : listeners_) {
        listener.wanted.reset();
    }
}

/// The first usable address of those the configured one stands for.
Result<Listeners::Listener> Listeners::open(const std::string& address,
                                            const ListenOptions& options) {
    using Kind = ListenAddress::Kind;
    const ListenAddress form = parseListenAddress(address);
    const auto candidates = resolveListenAddress(form);
    if (!candidates) {
        return tl::make_unexpected(candidates.error());
    }
    Result<Listener> result = plainError("getaddrinfo: no address for '" + address + "'");
    bool first = true;
    for (const SocketAddress& candidate : *candidates) {
        if (result) {
            if (form.kind == Kind::tcp) {
                say_(LogLevel::warning, fmt::format("Found multiple addresses for {}, {} ignored",
                                                    form.host, candidate.numericHost()));
            }
            continue;
        }
        if (!std::exchange(first, false)) {
            if (form.kind == Kind::port) {
                say_(LogLevel::notice, "Failed implicitly binding to ::, retrying with 0.0.0.0");
            } else {
                say_(LogLevel::error, result.error().text());
            }
        }
        result = inheritOrOpen(candidate, address, options);
        if (result && form.kind == Kind::tcp) {
            say_(LogLevel::debug, fmt::format("Found address for {}, socket opened on {}",
                                              form.host, candidate.numericHost()));
        }
    }
    return result;
}

Result<Listeners::Listener> Listeners::inheritOrOpen(const SocketAddress& candidate,
                                                     const std::string& address,
                                                     const ListenOptions& options) {
    const std::string key = candidate.key();
    if (auto known = inherited_.claim(key)) {
        return Listener{std::move(known->fd), key, std::move(known->file), true, {}, {}};
    }
    auto fd = openListener(candidate, address, options, say_);
    if (!fd) {
        return tl::make_unexpected(fd.error());
    }
    std::optional<SocketFile> file;
    if (candidate.family() == AF_UNIX) {
        file = identifySocketFile(address);
    }
    return Listener{std::move(*fd), key, std::move(file), false, {}, {}};
}

void Listeners::dropUnclaimed() {
    inherited_.dropRest(say_);
}

bool Listeners::isOurs(const std::string& address) const {
    const auto known = listeners_.find(address);
    return known != listeners_.end() && !known->second.inherited;
}

void Listeners::removeFiles() {
    for (auto& [address, listener] : listeners_) {
        if (listener.file && !listener.inherited) {
            removeSocketFile(*listener.file);
            listener.file.reset();  // its number may be a successor's soon
        }
    }
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

void Listeners::abandon() {
    for (auto& [address, listener] : listeners_) {
        if (listener.inherited) {
            listener.file.reset();
        }
    }
    keepOnly({});
}

std::set<std::string> Listeners::addresses() const {
    std::set<std::string> all;
    for (const auto& [address, listener] : listeners_) {
        all.insert(address);
    }
    return all;
}

std::vector<HandOver::Listener> Listeners::handOver() const {
    std::vector<HandOver::Listener> all;
    for (const auto& [address, listener] : listeners_) {
        all.push_back({address, listener.fd.get(), listener.key, listener.file, listener.inherited,
                       listener.options});
    }
    return all;
}

void Listeners::adopt(std::vector<HandOver::Listener> listeners) {
    for (HandOver::Listener& listener : listeners) {
        listeners_.emplace(std::move(listener.address), Listener{UniqueFd(listener.fd),
                                                                 std::move(listener.key),
                                                                 std::move(listener.file),
                                                                 listener.inherited,
                                                                 std::move(listener.options),
                                                                 {}});
    }
}

bool Listeners::isInherited(const std::string& address) const {
    const auto known = listeners_.find(address);
    return known != listeners_.end() && known->second.inherited;
}

void Listeners::announceOpen(const std::string& address) const {
    if (const auto kept = listeners_.find(address); kept != listeners_.end()) {
        say_(LogLevel::notice, fmt::format("using inherited socket fd={}, \"{}\"",
                                           kept->second.fd.get(), kept->second.key));
    }
}

}  // namespace muster::master
