// Readers while writers write: nobody ever sees half a record.
#include <atomic>
#include <thread>

#include "shim/state/layout.h"
#include "tests/unit/state_support.h"

namespace ration::state {
namespace {

Record filled(char letter) {
    Record record = record_of(std::string(192, letter));
    record.policy = std::string(256, letter);
    record.device = std::string(672, letter);
    record.why = std::string(512, letter);
    return record;
}

bool whole(const Record& record) {
    const Record expected = filled(record.command.empty() ? '-' : record.command[0]);
    return record.command == expected.command && record.policy == expected.policy &&
           record.device == expected.device && record.why == expected.why;
}

constexpr int kPublications = 30000;

void storm(Publisher& publisher) {
    // Three: with two, each of a slot's two copies would always get the same text.
    const Record records[] = {filled('a'), filled('b'), filled('c')};
    for (int i = 0; i < kPublications; ++i) publisher.publish(records[i % 3]);
}

TEST(StateStorm, NoTornRecordFromAnotherProcess) {
    const TempFolder folder;
    const auto directory = runtime_directory(geteuid(), folder.path(), true);
    Child writer([&](const Child::Side& side) {
        std::string why;
        auto publisher = Publisher::open(directory, why);
        if (!publisher) return 1;
        publisher->publish(filled('a'));
        side.ready();
        storm(*publisher);
        side.ready();
        return 0;
    });
    ASSERT_TRUE(writer.await_ready());
    for (int i = 0; i < kPublications / 4; ++i) {
        const auto listed = list(directory);
        ASSERT_EQ(listed.size(), 1u);
        ASSERT_TRUE(whole(listed[0].record));
    }
    EXPECT_EQ(writer.join(), 0);
}

TEST(StateStorm, ThreadsOfOneProcess) {
    const TempFolder folder;
    const auto directory = runtime_directory(geteuid(), folder.path(), true);
    std::string why;
    auto publisher = Publisher::open(directory, why);
    ASSERT_NE(publisher, nullptr) << why;
    publisher->publish(filled('a'));
    std::atomic<bool> done{false};
    std::thread one([&] { storm(*publisher); });
    std::thread two([&] { storm(*publisher); });
    std::thread reader([&] {
        while (!done) {
            const auto listed = list(directory);
            EXPECT_EQ(listed.size(), 1u);
            for (const auto& entry : listed) EXPECT_TRUE(whole(entry.record));
        }
    });
    one.join();
    two.join();
    done = true;
    reader.join();
}

// Killed at any instant, a writer leaves the former record or the new one.
TEST(StateStorm, KilledInTheMiddleOfAWrite) {
    const TempFolder folder;
    const auto directory = runtime_directory(geteuid(), folder.path(), true);
    for (int i = 0; i < 200; ++i) {
        Child writer([&](const Child::Side& side) {
            std::string why;
            auto publisher = Publisher::open(directory, why);
            if (!publisher) return 1;
            publisher->publish(filled('a'));
            side.ready();
            while (true) storm(*publisher);
        });
        ASSERT_TRUE(writer.await_ready());
        writer.kill(SIGKILL);
        writer.join();
    }
    const auto listed = list(directory);
    EXPECT_EQ(listed.size(), 200u);
    for (const auto& entry : listed) {
        EXPECT_FALSE(entry.live);
        EXPECT_TRUE(whole(entry.record));
    }
}

}  // namespace
}  // namespace ration::state
