// The soak's crowd: so many threads ask so many requests, say how far they are, and tell what
// failed.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <map>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "mix.h"

namespace muster::soak {
namespace {

constexpr std::size_t kFailuresShown = 20;

struct Options {
    std::vector<std::string> addresses;  ///< of the pools, asked in turn
    std::string site;
    std::uint64_t requests = 0;
    unsigned clients = 0;
    std::uint64_t seed = 0;
    int timeoutSeconds = 0;
    std::uint64_t report = 0;  ///< a line whenever so many more were answered
};

class Crowd {
  public:
    explicit Crowd(Options options) : options_(std::move(options)) {}

    int run() {
        std::vector<std::thread> threads;
        for (unsigned n = 0; n < options_.clients; ++n) {
            threads.emplace_back([this, n] { work(n); });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        for (const auto& [name, count] : failures_) {
            std::printf("failed %llu %s\n", static_cast<unsigned long long>(count), name.c_str());
        }
        std::printf("end %llu\n", static_cast<unsigned long long>(done_));
        return failures_.empty() ? 0 : 1;
    }

  private:
    void work(unsigned number) {
        std::mt19937_64 choice(options_.seed + number);
        std::vector<Visitor> visitors;
        for (const std::string& address : options_.addresses) {
            visitors.emplace_back(address, options_.site, choice(), options_.timeoutSeconds);
        }
        const auto all = kinds();
        const unsigned weights = std::accumulate(
            all.begin(), all.end(), 0U, [](unsigned sum, const Kind& k) { return sum + k.weight; });
        while (done_.load() < options_.requests) {
            std::uint64_t at = choice() % weights;
            const auto kind = std::find_if(all.begin(), all.end(), [&at](const Kind& each) {
                if (at < each.weight) {
                    return true;
                }
                at -= each.weight;
                return false;
            });
            account(*kind, kind->act(visitors[choice() % visitors.size()]));
        }
    }

    void account(const Kind& kind, const Outcome& outcome) {
        const std::uint64_t before = done_.fetch_add(outcome.requests);
        const std::uint64_t after = before + outcome.requests;
        const std::lock_guard guard(mutex_);
        if (before / options_.report != after / options_.report) {
            std::printf("done %llu\n", static_cast<unsigned long long>(after));
            static_cast<void>(std::fflush(stdout));
        }
        if (!outcome.problem.empty() && ++failures_[kind.name] <= kFailuresShown) {
            std::fprintf(stderr, "%s: %s\n", kind.name, outcome.problem.c_str());
        }
    }

    Options options_;
    std::atomic<std::uint64_t> done_ = 0;
    std::mutex mutex_;
    std::map<std::string, std::uint64_t> failures_;
};

std::uint64_t numberOf(const std::string& text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

}  // namespace
}  // namespace muster::soak

int main(int count, char** values) {
    using muster::soak::numberOf;
    const std::vector<std::string> words(values + 1, values + count);
    if (words.size() < 7) {
        std::fputs("usage: soak_client SITE REQUESTS CLIENTS SEED TIMEOUT REPORT ADDRESS...\n",
                   stderr);
        return 64;
    }
    muster::soak::Crowd crowd({.addresses = {words.begin() + 6, words.end()},
                               .site = words[0],
                               .requests = numberOf(words[1]),
                               .clients = static_cast<unsigned>(numberOf(words[2])),
                               .seed = numberOf(words[3]),
                               .timeoutSeconds = static_cast<int>(numberOf(words[4])),
                               .report = numberOf(words[5])});
    return crowd.run();
}
