// The hand-over as CBOR and back.
#include "master/hand_over.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "manager/cbor_text.h"

namespace muster::master {
namespace {

using manager::bytesOf;
using manager::textOf;
using nlohmann::json;

constexpr std::string_view kMagic = "muster-hand-over";

template <typename Strings>
json listOf(const Strings& texts) {
    json list = json::array();
    for (const std::string& text : texts) {
        list.push_back(bytesOf(text));
    }
    return list;
}

template <typename Strings>
Strings textsOf(const json& list) {
    Strings texts;
    for (const json& text : list) {
        texts.insert(texts.end(), textOf(text));
    }
    return texts;
}

template <typename Items, typename Encode>
json arrayOf(const Items& items, Encode encode) {
    json list = json::array();
    for (const auto& item : items) {
        list.push_back(encode(item));
    }
    return list;
}

template <typename Value>
void take(const json& from, const char* name, Value& to) {
    if (const auto found = from.find(name); found != from.end()) {
        found->get_to(to);
    }
}

void takeText(const json& from, const char* name, std::string& to) {
    if (const auto found = from.find(name); found != from.end()) {
        to = textOf(*found);
    }
}

template <typename Item, typename Decode>
void takeAll(const json& from, const char* name, std::vector<Item>& to, Decode decode) {
    if (const auto found = from.find(name); found != from.end()) {
        std::transform(found->begin(), found->end(), std::back_inserter(to), decode);
    }
}

// --- Parts ----------------------------------------------------------------------------------

json encodeTotals(const scoreboard::Totals& totals) {
    // A new member of Totals does not compile here, so that it is not forgotten below.
    const auto& [requests, slow, reached, active, queue, memory, timedOut, queued, overLimit,
                 overdue, hungUp, failed] = totals;
    return {{"requests", requests}, {"slow", slow},     {"maxChildrenReached", reached},
            {"maxActive", active},  {"queue", queue},   {"memoryPeak", memory},
            {"timedOut", timedOut}, {"queued", queued}, {"overLimit", overLimit},
            {"overdue", overdue},   {"hungUp", hungUp}, {"failed", failed}};
}

scoreboard::Totals decodeTotals(const json& from) {
    scoreboard::Totals totals;
    take(from, "requests", totals.requests);
    take(from, "slow", totals.slowRequests);
    take(from, "maxChildrenReached", totals.maxChildrenReached);
    take(from, "maxActive", totals.maxActive);
    take(from, "queue", totals.maxListenQueue);
    take(from, "memoryPeak", totals.memoryPeak);
    take(from, "timedOut", totals.timedOut);
    take(from, "queued", totals.maxQueued);
    take(from, "overLimit", totals.overLimit);
    take(from, "overdue", totals.overdue);
    take(from, "hungUp", totals.hungUp);
    take(from, "failed", totals.failed);
    return totals;
}

json encodeFile(const std::optional<SocketFile>& file) {
    return file ? json{{"path", bytesOf(file->path)},
                       {"device", std::uint64_t{file->device}},
                       {"inode", std::uint64_t{file->inode}}}
                : json();
}

std::optional<SocketFile> decodeFile(const json& from) {
    if (from.is_null()) {
        return std::nullopt;
    }
    return SocketFile{textOf(from.at("path")), from.at("device").get<dev_t>(),
                      from.at("inode").get<ino_t>()};
}

json encodeListener(const HandOver::Listener& listener) {
    const ListenOptions& options = listener.options;
    return {{"address", bytesOf(listener.address)},
            {"fd", listener.fd},
            {"key", bytesOf(listener.key)},
            {"file", encodeFile(listener.file)},
            {"inherited", listener.inherited},
            {"backlog", options.backlog},
            {"mode", options.mode},
            {"owner", options.owner ? json(*options.owner) : json()},
            {"group", options.group ? json(*options.group) : json()},
            {"aclUsers", options.aclUsers},
            {"aclGroups", options.aclGroups},
            {"prefix", bytesOf(options.prefix)}};
}

HandOver::Listener decodeListener(const json& from) {
    HandOver::Listener listener;
    listener.address = textOf(from.at("address"));
    from.at("fd").get_to(listener.fd);
    listener.key = textOf(from.at("key"));
    listener.file = decodeFile(from.at("file"));
    take(from, "inherited", listener.inherited);
    ListenOptions& options = listener.options;
    take(from, "backlog", options.backlog);
    take(from, "mode", options.mode);
    if (const json owner = from.value("owner", json()); !owner.is_null()) {
        options.owner = owner.get<uid_t>();
    }
    if (const json group = from.value("group", json()); !group.is_null()) {
        options.group = group.get<gid_t>();
    }
    take(from, "aclUsers", options.aclUsers);
    take(from, "aclGroups", options.aclGroups);
    takeText(from, "prefix", options.prefix);
    return listener;
}

json encodeControl(const HandOver::Control& control) {
    return {{"fd", control.fd},
            {"path", bytesOf(control.path)},
            {"file", encodeFile(control.file)},
            {"clients", arrayOf(control.clients, [](const HandOver::Client& client) {
                 return json{{"fd", client.fd},          {"id", client.id},
                             {"in", bytesOf(client.in)}, {"out", bytesOf(client.out)},
                             {"busy", client.busy},      {"ending", client.ending}};
             })}};
}

HandOver::Control decodeControl(const json& from) {
    HandOver::Control control;
    from.at("fd").get_to(control.fd);
    control.path = textOf(from.at("path"));
    control.file = decodeFile(from.at("file"));
    takeAll(from, "clients", control.clients, [](const json& entry) {
        HandOver::Client client;
        entry.at("fd").get_to(client.fd);
        entry.at("id").get_to(client.id);
        takeText(entry, "in", client.in);
        takeText(entry, "out", client.out);
        take(entry, "busy", client.busy);
        take(entry, "ending", client.ending);
        return client;
    });
    return control;
}

json encodeLogs(const HandOver::Logs& logs) {
    return {{"file", logs.file},
            {"path", bytesOf(logs.path)},
            {"ident", bytesOf(logs.syslog.ident)},
            {"facility", logs.syslog.facility},
            {"terminal", logs.terminal},
            {"useLog", logs.useLog},
            {"daemon", logs.daemon},
            {"numbers", logs.numbers},
            {"out", logs.out},
            {"err", logs.err}};
}

HandOver::Logs decodeLogs(const json& from) {
    HandOver::Logs logs;
    from.at("file").get_to(logs.file);
    logs.path = textOf(from.at("path"));
    takeText(from, "ident", logs.syslog.ident);
    take(from, "facility", logs.syslog.facility);
    take(from, "terminal", logs.terminal);
    take(from, "useLog", logs.useLog);
    take(from, "daemon", logs.daemon);
    take(from, "numbers", logs.numbers);
    take(from, "out", logs.out);
    take(from, "err", logs.err);
    return logs;
}

json encodePlan(const HandOver::Plan& plan) {
    return {{"inputs", bytesOf(manager::encodeInputs(plan.inputs))},
            {"accessLog", plan.accessLog},
            {"slowLog", plan.slowLog},
            {"listener", plan.listener},
            {"statusListener", plan.statusListener},
            {"iniState", bytesOf(plan.iniState)}};
}

HandOver::Plan decodePlan(const json& from) {
    HandOver::Plan plan;
    auto inputs = manager::decodeInputs(textOf(from.at("inputs")), config::Writer::otherProgram);
    if (!inputs) {
        throw json::other_error::create(501, inputs.error().text(), nullptr);
    }
    plan.inputs = std::move(*inputs);
    take(from, "accessLog", plan.accessLog);
    take(from, "slowLog", plan.slowLog);
    take(from, "listener", plan.listener);
    take(from, "statusListener", plan.statusListener);
    takeText(from, "iniState", plan.iniState);
    return plan;
}

json encodeGeneration(const HandOver::Generation& generation) {
    return {{"plan", encodePlan(generation.plan)},
            {"pid", generation.pid},
            {"draining", generation.draining},
            {"channel", generation.channel},
            {"segment", generation.segment},
            {"launchedNs", generation.launchedNs},
            {"deadlineNs", generation.deadlineNs},
            {"totals", encodeTotals(generation.totals)},
            {"handedOn", encodeTotals(generation.handedOn)},
            {"protocol", generation.protocol},
            {"messageSize", generation.messageSize}};
}

HandOver::Generation decodeGeneration(const json& from) {
    HandOver::Generation generation;
    generation.plan = decodePlan(from.at("plan"));
    from.at("pid").get_to(generation.pid);
    take(from, "draining", generation.draining);
    from.at("channel").get_to(generation.channel);
    from.at("segment").get_to(generation.segment);
    take(from, "launchedNs", generation.launchedNs);
    take(from, "deadlineNs", generation.deadlineNs);
    generation.totals = decodeTotals(from.at("totals"));
    generation.handedOn = decodeTotals(from.at("handedOn"));
    take(from, "protocol", generation.protocol);
    take(from, "messageSize", generation.messageSize);
    return generation;
}

json encodePool(const HandOver::Pool& pool) {
    return {{"name", bytesOf(pool.name)},
            {"startedWallNs", pool.startedWallNs},
            {"current", pool.current ? encodeGeneration(*pool.current) : json()},
            {"leaving", arrayOf(pool.leaving, encodeGeneration)},
            {"plan", pool.plan ? encodePlan(*pool.plan) : json()},
            {"carried", encodeTotals(pool.carried)},
            {"paused", pool.paused},
            {"failures", pool.failures},
            {"workersHeld", pool.workersHeld},
            {"workersAsked", pool.workersAsked}};
}

HandOver::Pool decodePool(const json& from) {
    HandOver::Pool pool;
    pool.name = textOf(from.at("name"));
    take(from, "startedWallNs", pool.startedWallNs);
    if (const json& current = from.at("current"); !current.is_null()) {
        pool.current = decodeGeneration(current);
    }
    takeAll(from, "leaving", pool.leaving, decodeGeneration);
    if (const json& plan = from.at("plan"); !plan.is_null()) {
        pool.plan = decodePlan(plan);
    }
    pool.carried = decodeTotals(from.at("carried"));
    take(from, "paused", pool.paused);
    take(from, "failures", pool.failures);
    take(from, "workersHeld", pool.workersHeld);
    take(from, "workersAsked", pool.workersAsked);
    return pool;
}

json encodeOrder(const HandOver::Order& wanted) {
    const ReloadOrder& order = wanted.order;
    json children = json::array();
    for (const auto& [pool, count] : order.maxChildren) {
        children.push_back(json::array({bytesOf(pool), count}));
    }
    return {{"upgrade", order.upgrade},
            {"everything", order.everything},
            {"changed", order.changed},
            {"named", listOf(order.named)},
            {"restarted", listOf(order.restarted)},
            {"paused", listOf(order.paused)},
            {"resumed", listOf(order.resumed)},
            {"maxChildren", std::move(children)},
            {"connections", wanted.connections}};
}

HandOver::Order decodeOrder(const json& from) {
    using Names = std::set<std::string>;
    const auto names = [&from](const char* name) {
        return textsOf<Names>(from.value(name, json::array()));
    };
    HandOver::Order wanted;
    ReloadOrder& order = wanted.order;
    take(from, "upgrade", order.upgrade);
    take(from, "everything", order.everything);
    take(from, "changed", order.changed);
    order.named = names("named");
    order.restarted = names("restarted");
    order.paused = names("paused");
    order.resumed = names("resumed");
    for (const json& pair : from.value("maxChildren", json::array())) {
        order.maxChildren[textOf(pair.at(0))] = pair.at(1).get<int>();
    }
    take(from, "connections", wanted.connections);
    return wanted;
}

HandOver decodeDocument(const json& from) {
    HandOver handOver;
    takeText(from, "version", handOver.version);
    handOver.program = textOf(from.at("program"));
    handOver.arguments = textsOf<std::vector<std::string>>(from.at("arguments"));
    handOver.configFile = textOf(from.at("configFile"));
    auto global = config::decodeGlobal(textOf(from.at("global")), config::Writer::otherProgram);
    if (!global) {
        throw json::other_error::create(501, global.error().text(), nullptr);
    }
    handOver.global = std::move(*global);
    takeAll(from, "listeners", handOver.listeners, decodeListener);
    handOver.control = decodeControl(from.at("control"));
    handOver.logs = decodeLogs(from.at("logs"));
    takeAll(from, "pools", handOver.pools, decodePool);
    take(from, "bornWith", handOver.bornWith);
    take(from, "fileLimitBefore", handOver.fileLimitBefore);
    handOver.order = decodeOrder(from.at("order"));
    if (const json& wanted = from.at("wanted"); !wanted.is_null()) {
        handOver.wanted = decodeOrder(wanted);
    }
    takeAll(from, "problems", handOver.problems, textOf);
    return handOver;
}

}  // namespace

std::vector<int> HandOver::descriptors() const {
    std::vector<int> all{previous, control.fd, logs.file, logs.out, logs.err};
    const auto add = [&all](const Plan& plan) {
        all.insert(all.end(), {plan.accessLog, plan.slowLog});
    };
    const auto addGeneration = [&](const Generation& generation) {
        add(generation.plan);
        all.insert(all.end(), {generation.channel, generation.segment});
    };
    for (const Listener& listener : listeners) {
        all.push_back(listener.fd);
    }
    for (const Client& client : control.clients) {
        all.push_back(client.fd);
    }
    for (const Pool& pool : pools) {
        if (pool.current) {
            addGeneration(*pool.current);
        }
        std::for_each(pool.leaving.begin(), pool.leaving.end(), addGeneration);
        if (pool.plan) {
            add(*pool.plan);
        }
    }
    std::erase_if(all, [](int fd) { return fd < 0; });
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

std::string encodeHandOver(const HandOver& handOver) {
    const json document = {
        {"version", bytesOf(handOver.version)},
        {"program", bytesOf(handOver.program)},
        {"arguments", listOf(handOver.arguments)},
        {"configFile", bytesOf(handOver.configFile)},
        {"global", bytesOf(config::encodeGlobal(handOver.global))},
        {"listeners", arrayOf(handOver.listeners, encodeListener)},
        {"control", encodeControl(handOver.control)},
        {"logs", encodeLogs(handOver.logs)},
        {"pools", arrayOf(handOver.pools, encodePool)},
        {"bornWith", handOver.bornWith},
        {"fileLimitBefore", handOver.fileLimitBefore},
        {"order", encodeOrder(handOver.order)},
        {"wanted", handOver.wanted ? encodeOrder(*handOver.wanted) : json()},
        {"problems", listOf(handOver.problems)},
    };
    const auto packed = json::to_cbor(document);
    std::string bytes =
        fmt::format("{} {} {} {}\n", kMagic, HandOver::kVersion, handOver.pid, handOver.previous);
    bytes.append(packed.begin(), packed.end());
    return bytes;
}

std::optional<HandOverHead> headOfHandOver(const std::string& bytes) {
    std::istringstream line(bytes.substr(0, bytes.find('\n')));
    std::string magic;
    HandOverHead head;
    line >> magic >> head.version >> head.pid >> head.previous;
    return line && magic == kMagic ? std::optional(head) : std::nullopt;
}

Result<HandOver> decodeHandOver(const std::string& bytes) {
    const auto head = headOfHandOver(bytes);
    if (!head) {
        return plainError("that is no table of a running service");
    }
    if (head->version != HandOver::kVersion) {
        return plainError(fmt::format("the table has version {}, this program knows version {}",
                                      head->version, HandOver::kVersion));
    }
    try {
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(bytes.find('\n') + 1);
        HandOver handOver = decodeDocument(json::from_cbor(begin, bytes.end()));
        handOver.pid = head->pid;
        handOver.previous = head->previous;
        return handOver;
    } catch (const json::exception& problem) {
        return plainError(std::string("the table is unreadable: ") + problem.what());
    }
}

}  // namespace muster::master
