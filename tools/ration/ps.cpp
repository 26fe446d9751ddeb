// ration ps: what the GPU processes of this node were granted.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/ration/command.h"
#include "tools/ration/failure.h"
#include "tools/ration/output.h"
#include "tools/ration/records.h"
#include "tools/ration/runtime.h"

namespace ration::tool {
namespace {

struct Options {
    bool recent = false;
    bool mine = false;
    double watch = 0;  // seconds; 0: once
};

struct Listing {
    state::RuntimeDirectory directory;
    std::vector<state::Listed> records;
    std::vector<std::string> notes;
};

Listing read_listing(const Options& options) {
    Listing listing;
    listing.directory = runtime_directory(false);
    for (state::Listed& listed : state::list(listing.directory, &listing.notes)) {
        if ((listed.live || options.recent) && (!options.mine || listed.record.uid == getuid())) {
            listing.records.push_back(std::move(listed));
        }
    }
    return listing;
}

Json listing_json(const Listing& listing) {
    Json records = Json::array();
    for (const state::Listed& listed : listing.records) {
        records.push_back(to_json(listed));
    }
    return {{"runtime_directory", to_json(listing.directory)},
            {"records", records},
            {"notes", listing.notes}};
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::vector<std::string> row(const state::Listed& listed) {
    const state::Record& record = listed.record;
    return {std::to_string(record.pid),
            user_name(record.uid),
            state_text(listed),
            or_dash(record.mechanism),
            or_dash(short_devices(record.device)),
            or_dash(record.asked),
            or_dash(record.granted),
            record.memory_quota == 0 ? "-" : size_text(record.memory_quota),
            or_dash(record.partition),
            record.command};
}

std::string text_of(const Listing& listing) {
    std::string text =
        paint(Colour::kDim, "runtime directory " + describe(listing.directory)) + "\n";
    if (listing.records.empty()) {
        return text + "no GPU process has a record here\n";
    }
    std::vector<std::vector<std::string>> rows{{"PID", "USER", "STATE", "MECHANISM", "DEVICE",
                                                "ASKED", "GRANTED", "MEMORY", "PARTITION",
                                                "COMMAND"}};
    for (const state::Listed& listed : listing.records) {
        rows.push_back(row(listed));
    }
    std::string lines = table(rows);
    const auto head = lines.find('\n');
    text += paint(Colour::kBold, lines.substr(0, head)) + lines.substr(head);
    for (const state::Listed& listed : listing.records) {
        if (!listed.record.why.empty()) {
            text += std::to_string(listed.record.pid) + ": " + printable(listed.record.why) + "\n";
        }
    }
    return text;
}

int show(const Options& options, const Invocation& invocation) {
    const Listing listing = read_listing(options);
    if (invocation.json) {
        print_json(listing_json(listing));
    } else {
        print(text_of(listing));
        for (const std::string& note : listing.notes) {
            complain(note);
        }
    }
    return listing.records.empty() ? kFailed : kOk;
}

int ps(const Options& options, const Invocation& invocation) {
    int code = show(options, invocation);
    while (options.watch > 0) {
        std::this_thread::sleep_for(std::chrono::duration<double>(options.watch));
        if (isatty(STDOUT_FILENO) == 1 && !invocation.json) {
            print("\033[H\033[2J");  // to the upper left corner, and clear
        }
        code = show(options, invocation);
    }
    return code;
}

}  // namespace

Action add_ps(CLI::App& app) {
    auto options = std::make_shared<Options>();
    app.add_flag("--recent,--all,-a", options->recent, "Processes that have ended, too");
    app.add_flag("--mine", options->mine, "My processes only");
    app.add_option("--watch", options->watch, "Repeat every SECONDS until interrupted")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, 86400.0));
    app.footer(
        "Shows the processes whose records you may read: everybody's where root made /run/ration.\n"
        "\n"
        "Examples:\n"
        "  ration ps\n"
        "  ration ps --recent        why did the program say that there is no CUDA?\n"
        "  ration ps --json | jq '.records[] | {pid, granted}'\n"
        "\n"
        "Exit codes: 0 something to show, 1 nothing.");
    return [options](const Invocation& invocation) { return ps(*options, invocation); };
}

}  // namespace ration::tool
