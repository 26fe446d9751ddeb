// The records file's format: what is written is what is read, by an older and a newer ration too.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "shim/state/layout.h"

namespace ration::state {
namespace {

const Identity kSelf = {1234, 567890, 0x7ffc0000, 4026531836};

Record sample() {
    Record record;
    record.uid = 1000;
    record.started = 1700000000;
    record.command = "python3.11 train.py";
    record.policy = "/etc/ration/policy.toml:12";
    record.partition = "pool.paper[2]";
    record.mechanism = "mps";
    record.device = "GPU-aeb7343f-2370-c0a2-c4f0-85e17b19c868";
    record.asked = "25 %";
    record.granted = "32 of 132 SMs (24.2 %)";
    record.memory_quota = 10ull << 30;
    record.concurrent = true;
    record.state = State::kGranted;
    record.why = "schön";
    return record;
}

// A slot of `size` bytes with the given copies where their sequence puts them.
std::vector<char> slot_of(const std::vector<Copy>& copies, std::size_t size = kSlotSize) {
    std::vector<char> slot(size);
    for (const Copy& copy : copies) {
        std::memcpy(slot.data() + (copy.sequence & 1) * size / 2, &copy, sizeof copy);
    }
    return slot;
}

Content read(const std::vector<char>& slot, Found& found) {
    return decode(slot.data(), slot.size(), found);
}

TEST(StateLayout, GivesBackEveryField) {
    Found found;
    const Record wrote = sample();
    ASSERT_EQ(read(slot_of({encode(wrote, kSelf, 1)}), found), Content::kRecord);
    const Record& record = found.record;
    EXPECT_EQ(record.pid, kSelf.pid);
    EXPECT_EQ(record.start_ticks, kSelf.start_ticks);
    EXPECT_EQ(record.started, wrote.started);
    EXPECT_EQ(record.uid, wrote.uid);
    EXPECT_EQ(record.command, wrote.command);
    EXPECT_EQ(record.policy, wrote.policy);
    EXPECT_EQ(record.partition, wrote.partition);
    EXPECT_EQ(record.mechanism, wrote.mechanism);
    EXPECT_EQ(record.device, wrote.device);
    EXPECT_EQ(record.asked, wrote.asked);
    EXPECT_EQ(record.granted, wrote.granted);
    EXPECT_EQ(record.memory_quota, wrote.memory_quota);
    EXPECT_EQ(record.concurrent, wrote.concurrent);
    EXPECT_EQ(record.state, wrote.state);
    EXPECT_EQ(record.why, wrote.why);
    EXPECT_EQ(found.identity.start_stack, kSelf.start_stack);
    EXPECT_EQ(found.identity.pid_namespace, kSelf.pid_namespace);
}

TEST(StateLayout, TakesTheNewestCopy) {
    Record first = sample();
    Record second = sample();
    second.state = State::kRefused;
    Found found;
    for (const std::uint64_t sequence : {1u, 2u}) {
        const auto slot =
            slot_of({encode(first, kSelf, sequence), encode(second, kSelf, sequence + 1)});
        ASSERT_EQ(read(slot, found), Content::kRecord);
        EXPECT_EQ(found.record.state, State::kRefused);
    }
}

TEST(StateLayout, FallsBackToTheFormerRecordWhenAWriteWasCutShort) {
    auto slot = slot_of({encode(sample(), kSelf, 1), encode(sample(), kSelf, 2)});
    slot[sizeof(Copy) - 1] = 'x';  // the end of `why` of the second
    Found found;
    ASSERT_EQ(read(slot, found), Content::kRecord);
    EXPECT_EQ(found.sequence, 1u);
    slot[kSlotSize / 2 + 40] ^= 1;
    EXPECT_EQ(read(slot, found), Content::kTorn);
}

TEST(StateLayout, KnowsAnEmptySlot) {
    Found found;
    EXPECT_EQ(read(slot_of({}), found), Content::kEmpty);
}

TEST(StateLayout, CutsLongTextAtACharacter) {
    Record record = sample();
    record.mechanism = "0123456789abcde\xc3\xa4";  // the second byte of the last letter is the 17th
    record.why = std::string(600, 'w');
    Found found;
    ASSERT_EQ(read(slot_of({encode(record, kSelf, 1)}), found), Content::kRecord);
    EXPECT_EQ(found.record.mechanism, "0123456789abcde");
    EXPECT_EQ(found.record.why, std::string(512, 'w'));
}

TEST(StateLayout, ShowsNoControlCharactersOfOthers) {
    EXPECT_EQ(printable("a\x1b[31mb\n\x7f"), "a?[31mb??");
    EXPECT_EQ(printable("sch\xc3\xb6n \xe2\x82\xac \xf0\x9f\x98\x80"),
              "sch\xc3\xb6n \xe2\x82\xac \xf0\x9f\x98\x80");
    EXPECT_EQ(printable("\xc2\x9b"), "?");             // C1: a one-byte escape for some terminals
    EXPECT_EQ(printable("\xc0\xaf\xff"), "???");       // overlong, never valid
    EXPECT_EQ(printable("\xed\xa0\x80"), "???");       // surrogate
    EXPECT_EQ(printable("\xe2\x82"), "??");            // cut short
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????");  // beyond U+10FFFF
}

// A newer ration appends fields to Body and says so in `size`; its slots may be larger.
TEST(StateLayout, ReadsARecordWithMoreFieldsThanItKnows) {
    const auto copy = encode(sample(), kSelf, 2);
    std::vector<char> slot(2 * kSlotSize);
    std::memcpy(slot.data(), &copy, sizeof copy);
    const std::uint32_t size = sizeof(Body) + 100;
    std::memcpy(slot.data() + offsetof(Copy, size), &size, sizeof size);
    Found found;
    EXPECT_EQ(read(slot, found), Content::kTorn) << "the checksum does not cover `size`";

    std::uint64_t hash = 0xcbf29ce484222325u;
    const auto add = [&](std::size_t from, std::size_t count) {
        for (std::size_t i = from; i < from + count; ++i) {
            hash = (hash ^ static_cast<unsigned char>(slot[i])) * 0x100000001b3u;
        }
    };
    add(0, offsetof(Copy, checksum));
    add(offsetof(Copy, body), size);
    std::memcpy(slot.data() + offsetof(Copy, checksum), &hash, sizeof hash);
    ASSERT_EQ(read(slot, found), Content::kRecord);
    EXPECT_EQ(found.record.command, "python3.11 train.py");
}

TEST(StateLayout, SkipsAStateThatItDoesNotKnow) {
    Record record = sample();
    record.state = static_cast<State>(99);
    Found found;
    EXPECT_EQ(read(slot_of({encode(record, kSelf, 1)}), found), Content::kUnknown);
}

TEST(StateLayout, RefusesOtherFormatsPolitely) {
    FileHeader header = make_header();
    EXPECT_EQ(unreadable(header), "");
    header.version = 7;
    EXPECT_EQ(unreadable(header), "records of format 7, this ration reads format 1");
    header = make_header();
    for (const std::uint32_t count : {0xffffffffu, 65536u, 0u}) {
        header.slot_count = count;
        EXPECT_EQ(unreadable(header), "a damaged header") << count;
    }
    header = make_header();
    header.slot_size = 65536;
    EXPECT_EQ(unreadable(header), "a damaged header");
    header.magic[0] = 'x';
    EXPECT_EQ(unreadable(header), "not a records file");
}

TEST(StateLayout, ReadsProcStatWhateverTheCommandIsCalled) {
    Stat stat;
    const std::string fields =
        " S 1 2 3 0 -1 4194304 5 0 0 0 0 0 0 0 20 0 1 0 98765 1 2 3 4 5 140737 0\n";
    ASSERT_TRUE(parse_stat("42 (a) Z (b c)) " + fields.substr(1), stat));
    EXPECT_EQ(stat.state, 'S');
    EXPECT_EQ(stat.start_ticks, 98765u);
    EXPECT_EQ(stat.start_stack, 140737u);
    EXPECT_FALSE(parse_stat("42 (a) S 1 2", stat));
    EXPECT_FALSE(parse_stat("", stat));
}

}  // namespace
}  // namespace ration::state
