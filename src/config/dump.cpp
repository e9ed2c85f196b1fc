// The lines of -tt (spec config §9), from the table.
#include "config/configuration.h"
#include "config/convert.h"

namespace muster::config {
namespace {

using Names = std::set<std::string>;

bool isShown(const Directive& directive, const Names& written) {
    return directive.type != Type::flagArray && directive.dump != DumpStyle::hidden &&
           (directive.dump != DumpStyle::ownDirective ||
            written.contains(std::string(directive.name)));
}

void dumpScope(std::vector<std::string>& lines, Scope scope, ConstSettingsRef settings,
               const Names& written) {
    for (const Directive& directive : directives()) {
        if (directive.scope != scope || !isShown(directive, written)) {
            continue;
        }
        const std::string name = "\t" + std::string(directive.name);
        if (const auto* list =
                std::get_if<std::vector<KeyValue> PoolSettings::*>(&directive.target)) {
            for (const KeyValue& entry : settings.pool->**list) {
                lines.push_back(name + "[" + entry.key + "] = " + entry.value);
            }
        } else {
            lines.push_back(
                name + " = " +
                scalarText(directive, settings, written.contains(std::string(directive.name))));
        }
    }
    lines.emplace_back(" ");
}

}  // namespace

std::vector<std::string> dumpConfiguration(const Configuration& configuration) {
    static const Names kNone;
    const auto& written = configuration.written;
    const auto writtenIn = [&](std::size_t i) -> const Names& {
        return i < written.size() ? written[i] : kNone;
    };
    std::vector<std::string> lines{"[global]"};
    dumpScope(lines, Scope::global, {&configuration.global, nullptr}, writtenIn(0));
    for (std::size_t i = 0; i < configuration.pools.size(); ++i) {
        const PoolSettings& pool = configuration.pools[i];
        lines.push_back("[" + pool.name + "]");
        dumpScope(lines, Scope::pool, {nullptr, &pool}, writtenIn(i + 1));
    }
    return lines;
}

}  // namespace muster::config
