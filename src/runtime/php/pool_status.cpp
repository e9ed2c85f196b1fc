// Puts plain numbers and texts under php-fpm's keys.
#include "runtime/php/pool_status.h"

namespace muster::php {

namespace {

void addNumber(zval* array, const char* key, std::uint64_t value) noexcept {
    add_assoc_long(array, key, static_cast<zend_long>(value));
}

void describeWorker(zval* array, const WorkerStatus& worker) noexcept {
    array_init(array);
    add_assoc_long(array, "pid", worker.pid);
    add_assoc_string(array, "state", worker.state);
    add_assoc_long(array, "start-time", worker.startTime);
    addNumber(array, "start-since", worker.startSince);
    addNumber(array, "requests", worker.requests);
    addNumber(array, "request-duration", worker.requestDurationUs);
    add_assoc_string(array, "request-method", worker.method);
    add_assoc_string(array, "request-uri", worker.uri);
    add_assoc_string(array, "query-string", worker.query);
    add_assoc_long(array, "request-length", worker.contentLength);
    add_assoc_string(array, "user", worker.user);
    add_assoc_string(array, "script", worker.script);
    add_assoc_double(array, "last-request-cpu", worker.cpuPercent);
    addNumber(array, "last-request-memory", worker.memory);
}

}  // namespace

void describePool(zval* array, const PoolStatus& status) noexcept {
    array_init(array);
    add_assoc_string(array, "pool", status.pool);
    add_assoc_string(array, "process-manager", status.processManager);
    add_assoc_long(array, "start-time", status.startTime);
    addNumber(array, "start-since", status.startSince);
    addNumber(array, "accepted-conn", status.acceptedConnections);
    addNumber(array, "listen-queue", status.listenQueue);
    addNumber(array, "max-listen-queue", status.maxListenQueue);
    addNumber(array, "listen-queue-len", status.listenQueueLength);
    addNumber(array, "idle-processes", status.idle);
    addNumber(array, "active-processes", status.active);
    addNumber(array, "total-processes", status.idle + status.active);
    addNumber(array, "max-active-processes", status.maxActive);
    addNumber(array, "max-children-reached", status.maxChildrenReached);
    addNumber(array, "slow-requests", status.slowRequests);
    addNumber(array, "memory-peak", status.memoryPeak);

    zval workers;
    array_init(&workers);
    for (std::size_t i = 0; i < status.workerCount; ++i) {
        zval worker;
        describeWorker(&worker, status.workers[i]);
        add_next_index_zval(&workers, &worker);
    }
    add_assoc_zval(array, "procs", &workers);
}

}  // namespace muster::php
