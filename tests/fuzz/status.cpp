// Shows a scoreboard that workers scribbled into, in every format.
//
// Input: query string and pool name, each ended by a newline, the pool's numbers (8 bytes each),
// then workers: stage, pid and sequence counter (a byte each), numbers, five texts ended by
// newlines.
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "input.h"
#include "markup.h"
#include "scoreboard/segment.h"
#include "scoreboard/snapshot.h"
#include "scoreboard/status_page.h"

namespace {

using namespace muster;
using scoreboard::StatusFormat;

constexpr std::uint32_t kSlots = 3;

scoreboard::Segment makeSegment() {
    const auto fd = scoreboard::Segment::create({.poolName = "www",
                                                 .slotCount = kSlots,
                                                 .processManager = 2,
                                                 .startedWallNs = 1,
                                                 .carried = {}});
    fuzz::hold(fd.has_value(), "a segment");
    auto segment = scoreboard::Segment::attach(fd->get(), Mapping::Access::readWrite);
    fuzz::hold(segment.has_value(), "is mapped");
    return std::move(*segment);
}

template <std::size_t Size>
void fill(char (&field)[Size], std::string_view text) {
    std::memset(field, 0, Size);
    std::memcpy(field, text.data(), std::min(text.size(), Size));  // perhaps without its NUL
}

void fillPool(fuzz::Input& input, scoreboard::Header& header) {
    fill(header.poolName, input.upTo('\n'));
    header.processManager = input.byte();
    header.pool.startedWallNs = input.number();
    header.pool.retired = {.requests = input.number(),
                           .slowRequests = input.number(),
                           .maxChildrenReached = input.number(),
                           .maxActive = input.number(),
                           .maxListenQueue = input.number(),
                           .memoryPeak = input.number()};
    header.pool.listenPending = static_cast<std::uint32_t>(input.number());
    header.pool.listenLimit = static_cast<std::uint32_t>(input.number());
    header.hints.activeSeen = input.byte();
}

void fillSlot(fuzz::Input& input, scoreboard::Slot& slot) {
    slot.stage = input.byte();
    slot.pid = static_cast<std::int32_t>(input.byte()) - 8;
    slot.sequence = input.byte() == 0xff ? 1 : 0;  // now and then left amid a write
    slot.startedNs = input.number();
    slot.startedWallNs = input.number();
    scoreboard::RequestFacts& facts = slot.facts;
    facts.requests = input.number();
    facts.acceptedNs = input.number();
    facts.durationNs = input.number();
    facts.cpuNs = input.number();
    facts.memoryPeak = input.number();
    facts.contentLength = static_cast<std::int64_t>(input.number());
    fill(facts.method, input.upTo('\n'));
    fill(facts.uri, input.upTo('\n'));
    fill(facts.query, input.upTo('\n'));
    fill(facts.user, input.upTo('\n'));
    fill(facts.script, input.upTo('\n'));
}

/// Lines of the page in this format when nothing is in it but so many workers.
std::size_t linesWithout(StatusFormat format, bool full, std::size_t workers) {
    static std::map<std::tuple<StatusFormat, bool, std::size_t>, std::size_t> known;
    const auto [place, isNew] = known.try_emplace({format, full, workers});
    if (isNew) {
        scoreboard::PoolSnapshot empty;
        empty.name = "www";
        empty.workers.resize(workers);
        place->second = fuzz::linesOf(renderStatus(empty, {format, full}).body).size();
    }
    return place->second;
}

void checkText(std::string_view page, bool full, std::size_t workers) {
    const auto lines = fuzz::linesOf(page);
    fuzz::hold(lines.size() == linesWithout(StatusFormat::text, full, workers),
               "no value makes or takes a line", page);
    fuzz::hold(!fuzz::hasControl(page), "no control characters", page);
    for (const std::string_view line : lines) {
        const std::size_t colon = line.find(':');
        fuzz::hold(
            line.empty() || line.find_first_not_of('*') == std::string_view::npos ||
                (colon != std::string_view::npos && colon < line.find("  ") && line.size() >= 22),
            "a label and a value", line);
    }
}

void checkJson(const std::string& page, bool full, std::size_t workers) {
    const auto value = nlohmann::json::parse(page, nullptr, false);
    fuzz::hold(value.is_object() && value.contains("pool"), "JSON", page);
    fuzz::hold(value.contains("processes") == full, "with processes if they were asked for", page);
    fuzz::hold(!full || value["processes"].size() == workers, "all of them", page);
    for (const auto& worker : full ? value["processes"] : nlohmann::json::array()) {
        fuzz::hold(worker.contains("request uri") && worker.size() >= 13, "all fields", page);
    }
}

void checkPage(const scoreboard::PoolSnapshot& snapshot, StatusFormat format, bool full) {
    const std::string page = renderStatus(snapshot, {format, full}).body;
    const std::size_t workers = snapshot.workers.size();
    switch (format) {
        case StatusFormat::text:
            checkText(page, full, workers);
            break;
        case StatusFormat::json:
            checkJson(page, full, workers);
            break;
        case StatusFormat::xml:
        case StatusFormat::html:
            fuzz::Markup(page).check();
            fuzz::hold(fuzz::linesOf(page).size() == linesWithout(format, full, workers),
                       "no value makes or takes a line", page);
            break;
        case StatusFormat::openMetrics:
            fuzz::checkOpenMetrics(page);
            break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const scoreboard::Segment segment = makeSegment();
    fuzz::Input input(data, size);
    const scoreboard::StatusQuery query = scoreboard::parseStatusQuery(input.upTo('\n'));
    fillPool(input, segment.header());
    for (std::uint32_t i = 0; i < kSlots; ++i) {
        fillSlot(input, segment.slot(i));
    }
    const scoreboard::PoolSnapshot snapshot = scoreboard::takeSnapshot(segment);
    fuzz::hold(snapshot.workers.size() <= kSlots && snapshot.idle + snapshot.active <= kSlots,
               "no more workers than slots");
    checkPage(snapshot, query.format, query.full);
    for (const StatusFormat format : {StatusFormat::text, StatusFormat::json, StatusFormat::xml,
                                      StatusFormat::html, StatusFormat::openMetrics}) {
        checkPage(snapshot, format, true);
    }
    return 0;
}
