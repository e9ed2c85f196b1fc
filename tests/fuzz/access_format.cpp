// Compiles arbitrary access formats and renders arbitrary requests with them.
//
// Input: the format, ended by a newline; numbers (8 bytes each); then texts, ended by newlines, of
// which an empty one is absent.
#include "log/access_format.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "input.h"
#include "markup.h"

namespace {

using namespace muster;

const char* findParam(const void* context, std::string_view /*name*/) {
    return static_cast<const log::AccessFacts*>(context)->query;
}

std::string_view findHeader(const void* context, std::string_view /*name*/) {
    const char* value = static_cast<const log::AccessFacts*>(context)->script;
    return value == nullptr ? std::string_view() : value;
}

log::AccessFacts factsIn(fuzz::Input& input, std::vector<std::string>& texts) {
    log::AccessFacts facts;
    facts.contentLength = static_cast<std::int64_t>(input.number());
    facts.status = static_cast<int>(input.byte() * 4);
    facts.durationNs = input.number();
    facts.acceptedWallNs = input.number();
    facts.nowWallNs = input.number();
    facts.userCpuNs = input.number();
    facts.systemCpuNs = input.number();
    facts.memoryPeak = input.number();
    facts.workerPid = static_cast<int>(input.byte());
    const char** const places[] = {&facts.method, &facts.uri,  &facts.query,
                                   &facts.script, &facts.user, &facts.peer};
    texts.reserve(std::size(places));
    for (const char** place : places) {
        texts.emplace_back(input.upTo('\n'));
        *place = texts.back().empty() ? nullptr : texts.back().c_str();
    }
    facts.param = findParam;
    facts.header = findHeader;
    return facts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::string_view text = input.upTo('\n');
    const auto format = log::AccessFormat::compile(text);
    std::vector<std::string> texts;
    log::AccessFacts facts = factsIn(input, texts);
    facts.context = &facts;
    std::string line;
    if (format) {
        line = "before";
        format->render(facts, line);
        fuzz::hold(line.starts_with("before"), "appends", line);
        line.erase(0, 6);
        fuzz::hold(line.size() <= log::AccessFormat::kMaxLine, "is cut", line);
        fuzz::hold(line.empty() || line.find('\n') == line.size() - 1, "is one line", line);
        fuzz::hold(fuzz::hasControl(text) || !fuzz::hasControl(line),
                   "no control characters but those of the format", line);
    }
    line.clear();
    log::AccessFormat::json().render(facts, line);
    fuzz::hold(line.find('\n') == line.size() - 1, "is one line", line);
    fuzz::hold(nlohmann::json::parse(line, nullptr, false).is_object(), "is JSON", line);
    return 0;
}
