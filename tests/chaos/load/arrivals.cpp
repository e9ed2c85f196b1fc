// Draws the mix of requests from a generator that starts anew for each number.
#include "arrivals.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <random>

namespace muster::chaos {

namespace {

struct Known {
    std::string_view name;
    Kind kind;
    unsigned amount;
};
constexpr std::array<Known, 5> kKnown{{{"quick", Kind::script, 5},
                                       {"slow", Kind::script, 300},
                                       {"long", Kind::script, 5000},
                                       {"upload", Kind::upload, 1U << 20U},
                                       {"download", Kind::download, 1U << 20U}}};
constexpr std::uint64_t kSmallestBody = 1000;

bool readNumber(std::string_view text, unsigned& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

bool SortText::read(Sort& sort) const {
    const std::string_view whole = text;
    const std::size_t equals = whole.find('=');
    const auto* known = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& each) {
        return each.name == whole.substr(0, equals);
    });
    if (equals == std::string_view::npos || known == kKnown.end()) {
        return false;
    }
    sort = {.name = std::string(known->name), .kind = known->kind, .amount = known->amount};
    const std::string_view figures = whole.substr(equals + 1);
    const std::size_t colon = figures.find(':');
    return readNumber(figures.substr(0, colon), sort.weight) &&
           (colon == std::string_view::npos || readNumber(figures.substr(colon + 1), sort.amount));
}

Arrivals::Arrivals(double perSecond, std::uint64_t seed, std::vector<Sort> sorts,
                   std::vector<std::string> routes)
    : perSecond_(perSecond), seed_(seed), sorts_(std::move(sorts)), routes_(std::move(routes)) {
    for (const Sort& sort : sorts_) {
        weights_ += sort.weight;
    }
}

std::chrono::nanoseconds Arrivals::due(std::uint64_t id) const {
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(static_cast<double>(id) * 1e9 / perSecond_));
}

Request Arrivals::request(std::uint64_t id) const {
    std::seed_seq start{seed_, id};
    std::mt19937 random(start);
    std::uint64_t at = random() % weights_;
    const auto sort = std::find_if(sorts_.begin(), sorts_.end(), [&at](const Sort& each) {
        if (at < each.weight) {
            return true;
        }
        at -= each.weight;
        return false;
    });
    return {.id = id,
            .sort = &*sort,
            .route = &routes_[random() % routes_.size()],
            .bytes = kSmallestBody + random() % (std::uint64_t{sort->amount} + 1)};
}

}  // namespace muster::chaos
