#include "shim/state/layout.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace ration::state {
namespace {

static_assert(std::is_trivially_copyable_v<Copy>);

constexpr std::size_t kHead = offsetof(Copy, body);

std::uint64_t fnv1a(std::uint64_t hash, const char* bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3u;
    }
    return hash;
}

template <std::size_t kWidth>
void put(char (&field)[kWidth], std::string_view text) {
    const auto fitting = cut(text, kWidth);
    std::memcpy(field, fitting.data(), fitting.size());
}

template <std::size_t kWidth>
std::string take(const char (&field)[kWidth]) {
    return printable({field, strnlen(field, kWidth)});
}

bool intact(const char* bytes, std::size_t copy_size, Copy& copy) {
    std::memcpy(static_cast<void*>(&copy), bytes, kHead);
    if (copy.sequence == 0 || copy.size > copy_size - kHead) return false;
    if (checksum_of(bytes, copy.size) != copy.checksum) return false;
    copy.body = {};
    std::memcpy(&copy.body, bytes + kHead, std::min<std::size_t>(copy.size, sizeof(Body)));
    return true;
}

bool all_zero(const char* bytes, std::size_t count) {
    return std::all_of(bytes, bytes + count, [](char byte) { return byte == 0; });
}

Content unpack(const Copy& copy, Found& found) {
    const Body& body = copy.body;
    if (body.state > static_cast<std::uint32_t>(State::kWaiting)) return Content::kUnknown;
    found.sequence = copy.sequence;
    found.identity = {static_cast<pid_t>(body.pid), body.start_ticks, body.start_stack,
                      body.pid_namespace};
    Record& record = found.record;
    record.pid = static_cast<pid_t>(body.pid);
    record.start_ticks = body.start_ticks;
    record.started = body.started;
    record.uid = body.uid;
    record.command = take(body.command);
    record.policy = take(body.policy);
    record.partition = take(body.partition);
    record.mechanism = take(body.mechanism);
    record.device = take(body.device);
    record.asked = take(body.asked);
    record.granted = take(body.granted);
    record.memory_quota = body.memory_quota;
    record.memory_counted = body.memory_counted != 0;
    record.concurrent = body.concurrent != 0;
    record.state = static_cast<State>(body.state);
    record.why = take(body.why);
    return Content::kRecord;
}

}  // namespace

// The body need not be ours in size, so it is not taken as a Copy.
std::uint64_t checksum_of(const char* copy, std::size_t body_size) {
    const auto hash = fnv1a(0xcbf29ce484222325u, copy, offsetof(Copy, checksum));
    return fnv1a(hash, copy + kHead, body_size);
}

const char* name(State state) {
    switch (state) {
        case State::kStarting:
            return "starting";
        case State::kGranted:
            return "granted";
        case State::kUnshared:
            return "unshared";
        case State::kRefused:
            return "refused";
        case State::kDenied:
            return "denied";
        case State::kWaiting:
            return "waiting";
    }
    return "unknown";
}

Content decode(const char* slot, std::size_t slot_size, Found& found) {
    const std::size_t copy_size = slot_size / 2;
    Copy copies[2];
    const bool good[2] = {intact(slot, copy_size, copies[0]),
                          intact(slot + copy_size, copy_size, copies[1])};
    if (good[0] || good[1]) {
        const bool second = !good[0] || (good[1] && copies[1].sequence > copies[0].sequence);
        return unpack(copies[second ? 1 : 0], found);
    }
    return all_zero(slot, slot_size) ? Content::kEmpty : Content::kTorn;
}

Copy encode(const Record& record, const Identity& identity, std::uint64_t sequence) {
    Copy copy{};
    copy.sequence = sequence;
    copy.size = sizeof(Body);
    Body& body = copy.body;
    body.pid = static_cast<std::uint32_t>(identity.pid);
    body.uid = record.uid;
    body.start_ticks = identity.start_ticks;
    body.start_stack = identity.start_stack;
    body.pid_namespace = identity.pid_namespace;
    body.started = record.started;
    body.memory_quota = record.memory_quota;
    body.memory_counted = record.memory_counted ? 1 : 0;
    body.state = static_cast<std::uint32_t>(record.state);
    body.concurrent = record.concurrent ? 1 : 0;
    put(body.command, record.command);
    put(body.policy, record.policy);
    put(body.partition, record.partition);
    put(body.mechanism, record.mechanism);
    put(body.device, record.device);
    put(body.asked, record.asked);
    put(body.granted, record.granted);
    put(body.why, record.why);
    copy.checksum = checksum_of(reinterpret_cast<const char*>(&copy), copy.size);
    return copy;
}

FileHeader make_header() {
    FileHeader header{};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.version = kVersion;
    header.slot_count = kSlotCount;
    header.slot_size = kSlotSize;
    header.index_offset = kIndexOffset;
    header.slots_offset = kSlotsOffset;
    return header;
}

std::string unreadable(const FileHeader& header) {
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) return "not a records file";
    if (header.version != kVersion) {
        return "records of format " + std::to_string(header.version) +
               ", this ration reads format " + std::to_string(kVersion);
    }
    const bool sane = header.slot_count >= 1 && header.slot_count <= kMostSlots &&
                      header.slot_size / 2 >= kHead && header.slot_size <= kLargestSlot &&
                      header.index_offset >= sizeof(FileHeader) &&
                      header.index_offset <= (1u << 20) && header.slots_offset <= (1u << 24);
    return sane ? "" : "a damaged header";
}

std::string_view cut(std::string_view text, std::size_t width) {
    if (text.size() <= width) return text;
    std::size_t end = width;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end);
}

}  // namespace ration::state
