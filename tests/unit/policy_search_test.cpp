#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <new>

#include "policy_helpers.h"
#include "shim/policy/search.h"
#include "temporary_folder.h"

namespace ration::policy {
namespace {

using Kind = Found::Kind;

constexpr const char* kLocked = "schema = 1\nlocked = true\n[defaults]\nno_match = \"deny\"\n";

// A machine: its folders and the variables of one process.
class Search : public testing::Test {
  protected:
    Search() {
        for (const char* name : {"etc", "etc/policy.d", "run", "run/policy.d", "home",
                                 "home/.config", "home/.config/ration"}) {
            std::filesystem::create_directory(folder_ / name);
        }
        paths_ = {folder_ / "etc", folder_ / "run", geteuid(), getegid()};
        variables_["HOME"] = folder_ / "home";
    }

    // A policy that names itself by the place of its no_match.
    static std::string plain() { return "schema = 1\n[defaults]\nno_match = \"ignore\"\n"; }

    std::string add(const std::string& name, const std::string& text = plain(),
                    mode_t mode = 0644) {
        return folder_.write(name, text, mode);
    }

    Found found() const {
        return find(
            [this](const std::string& name) {
                const auto at = variables_.find(name);
                return at == variables_.end() ? std::nullopt : std::optional(at->second);
            },
            paths_);
    }

    std::vector<std::string> files() const { return found().loaded.policy.files; }
    std::vector<std::string> problems() const { return lines(found().loaded.problems); }

    TemporaryFolder folder_;
    SitePaths paths_;
    std::map<std::string, std::string> variables_;
};

TEST_F(Search, NoPolicyAnywhereIsNone) {
    EXPECT_EQ(found().kind, Kind::kNone);
    variables_.clear();
    paths_ = {folder_ / "no", folder_ / "nor"};
    EXPECT_EQ(found().kind, Kind::kNone);
    EXPECT_TRUE(found().loaded.problems.empty());
}

TEST_F(Search, SiteFilesAreReadInOrder) {
    const std::string run = add("run/policy.d/0.toml", "schema = 1\n");
    const std::string b = add("etc/policy.d/b.toml", "schema = 1\n");
    const std::string a = add("etc/policy.d/a.toml", "schema = 1\n");
    const std::string ten = add("etc/policy.d/10.toml", "schema = 1\n");
    const std::string main = add("etc/policy.toml");
    add("etc/policy.d/c.toml~");
    add("etc/policy.d/.hidden.toml");
    add("etc/policy.d/.toml");
    EXPECT_EQ(files(), (std::vector<std::string>{main, ten, a, b, run}));
    EXPECT_EQ(found().kind, Kind::kPolicy);
    EXPECT_EQ(found().origin, "site");
    EXPECT_FALSE(found().locked_out);
}

TEST_F(Search, TheOrderIsFlagsNamedUserSite) {
    const std::string site = add("etc/policy.toml");
    EXPECT_EQ(files(), std::vector<std::string>{site});
    const std::string user = add("home/.config/ration/policy.toml");
    EXPECT_EQ(files(), std::vector<std::string>{user});
    EXPECT_EQ(found().origin, "user");
    const std::string named = add("named.toml");
    variables_["RATION_POLICY"] = named;
    EXPECT_EQ(files(), std::vector<std::string>{named});
    EXPECT_EQ(found().origin, "RATION_POLICY");
    variables_["RATION_SHARE"] = "25%";
    EXPECT_EQ(found().origin, "flags");
    EXPECT_EQ(found().loaded.policy.partitions.begin()->second.share, 25.0);
    variables_["RATION_DISABLE"] = "1";
    EXPECT_EQ(found().kind, Kind::kDisabled);
    variables_["RATION_DISABLE"] = "0";
    EXPECT_EQ(found().origin, "flags");
    variables_["RATION_DISABLE"] = "";
    EXPECT_EQ(found().origin, "flags");
}

TEST_F(Search, EveryFlagCountsButTheName) {
    const std::map<std::string, std::string> flags{{"RATION_SHARE", "25%"},
                                                   {"RATION_MEMORY", "1GiB"},
                                                   {"RATION_DEVICE", "0"},
                                                   {"RATION_MIG", "MIG-aa"}};
    for (const auto& [name, value] : flags) {
        variables_ = {{name, value}, {"RATION_NAME", "mine"}};
        EXPECT_EQ(found().origin, "flags") << name;
        EXPECT_EQ(found().loaded.policy.partitions.begin()->first, "partition.mine");
        EXPECT_TRUE(problems().empty());
    }
    variables_ = {{"RATION_NAME", "mine"}};
    EXPECT_EQ(found().kind, Kind::kNone);
    variables_ = {{"RATION_SHARE", "0%"}};
    EXPECT_EQ(problems().size(), 1U);
}

TEST_F(Search, XdgConfigHomeComesBeforeHome) {
    add("home/.config/ration/policy.toml");
    std::filesystem::create_directories(folder_ / "xdg/ration");
    const std::string xdg = add("xdg/ration/policy.toml");
    variables_["XDG_CONFIG_HOME"] = folder_ / "xdg";
    EXPECT_EQ(files(), std::vector<std::string>{xdg});
    // A relative one counts as none.
    variables_["XDG_CONFIG_HOME"] = "xdg";
    EXPECT_EQ(files(), std::vector<std::string>{folder_ / "home/.config/ration/policy.toml"});
}

TEST_F(Search, ANamedPolicyThatCannotBeReadIsAProblem) {
    add("etc/policy.toml");
    variables_["RATION_POLICY"] = folder_ / "none.toml";
    EXPECT_EQ(found().kind, Kind::kPolicy);
    EXPECT_EQ(problems(), std::vector<std::string>{folder_ / "none.toml" +
                                                   ": cannot read the policy: No such file or "
                                                   "directory"});
    variables_["RATION_POLICY"] = folder_.path();
    EXPECT_EQ(problems(), std::vector<std::string>{folder_.path() +
                                                   ": cannot read the policy: it is a folder"});
    ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
    variables_["RATION_POLICY"] = folder_ / "fifo";
    EXPECT_EQ(problems(), std::vector<std::string>{folder_ / "fifo" +
                                                   ": cannot read the policy: it is not a regular "
                                                   "file"});
    variables_["RATION_POLICY"] = "/dev/zero";
    EXPECT_EQ(problems().size(), 1U);
    variables_["RATION_POLICY"] = add("broken.toml", "schema = 1\nx = 1\n");
    EXPECT_EQ(problems().size(), 1U);
    // Empty is not set.
    variables_["RATION_POLICY"] = "";
    EXPECT_EQ(found().origin, "site");
}

TEST_F(Search, ALockedSitePolicyStandsAlone) {
    const std::string site = add("etc/policy.d/site.toml", kLocked);
    variables_["RATION_POLICY"] = add("named.toml");
    variables_["RATION_SHARE"] = "50%";
    variables_["RATION_DISABLE"] = "1";
    const Found all = found();
    EXPECT_EQ(all.kind, Kind::kPolicy);
    EXPECT_EQ(all.origin, "site");
    EXPECT_EQ(all.loaded.policy.files, std::vector<std::string>{site});
    EXPECT_TRUE(all.loaded.problems.empty());
    EXPECT_TRUE(all.locked_out);
    for (const char* name : {"RATION_POLICY", "RATION_SHARE", "RATION_DISABLE"}) {
        const std::string value = variables_[name];
        variables_.erase(name);
        EXPECT_TRUE(found().locked_out) << "without " << name;
        variables_[name] = value;
    }
    variables_.clear();
    EXPECT_FALSE(found().locked_out);
    EXPECT_EQ(found().origin, "site");
}

TEST_F(Search, AMistakeInALockedPolicyDoesNotOpenIt) {
    variables_["RATION_POLICY"] = add("named.toml");
    const std::string broken[] = {std::string(kLocked) + "[partition.x\n",
                                  std::string(kLocked) + "x = 1\n",
                                  "schema = 1\nlocked = \"true\"\n"};
    for (const std::string& text : broken) {
        add("etc/policy.toml", text);
        EXPECT_EQ(found().origin, "site") << text;
        EXPECT_FALSE(problems().empty()) << text;
        EXPECT_TRUE(found().locked_out) << text;
    }
}

TEST_F(Search, AMistakeInAnOpenPolicyIsOnlyForThoseWhoUseIt) {
    variables_["RATION_POLICY"] = add("named.toml");
    for (const char* text : {"schema = 1\nx = 1\n", "schema = 1\n[partition.x\n"}) {
        add("etc/policy.toml", text);
        EXPECT_EQ(found().origin, "RATION_POLICY") << text;
        EXPECT_TRUE(problems().empty()) << text;
    }
    variables_.erase("RATION_POLICY");
    EXPECT_EQ(found().origin, "site");
    EXPECT_EQ(problems().size(), 1U);
}

TEST_F(Search, ASiteFileThatCannotBeReadMayBeTheOneThatLocks) {
    variables_["RATION_POLICY"] = add("named.toml");
    std::filesystem::create_directory(folder_ / "etc/policy.toml");
    EXPECT_EQ(found().origin, "site");
    EXPECT_EQ(problems(), std::vector<std::string>{folder_ / "etc/policy.toml" +
                                                   ": cannot read the policy: it is a folder"});
}

TEST(SearchWithoutMemory, IsAProblemOfALockedPolicy) {
    const Found found =
        find([](const std::string&) -> std::optional<std::string> { throw std::bad_alloc(); });
    EXPECT_EQ(found.kind, Kind::kPolicy);
    EXPECT_TRUE(found.loaded.policy.locked);
    EXPECT_EQ(lines(found.loaded.problems),
              std::vector<std::string>{"no memory to read the policy"});
}

TEST_F(Search, AFileThatGoesWhileTheFolderIsReadIsNoProblem) {
    std::filesystem::create_symlink(folder_ / "gone", folder_ / "run/policy.d/job-1.toml");
    EXPECT_EQ(found().kind, Kind::kNone);
}

TEST_F(Search, AWorldWritableSiteFileIsAProblem) {
    add("etc/policy.toml", plain(), 0646);
    ASSERT_EQ(problems().size(), 1U);
    EXPECT_NE(problems()[0].find("writable by everyone"), std::string::npos);
    // Who may write to it may have taken `locked` out.
    variables_["RATION_POLICY"] = add("named.toml", plain(), 0666);
    EXPECT_EQ(found().origin, "site");
    EXPECT_EQ(problems().size(), 1U);
    // A user's own file is the user's affair.
    add("etc/policy.toml");
    EXPECT_EQ(found().origin, "RATION_POLICY");
    EXPECT_TRUE(problems().empty());
}

// Whoever is in the group may have taken `locked` out.
TEST_F(Search, WhatAGroupMayChangeIsNotTheSites) {
    variables_["RATION_POLICY"] = add("named.toml", plain(), 0660);
    for (const char* name : {"etc/policy.toml", "etc/policy.d/a.toml", "run/policy.d/job.toml"}) {
        const std::string file = add(name, plain(), 0664);
        EXPECT_EQ(found().origin, "RATION_POLICY") << "the group is root's";
        paths_.group = getegid() + 1;
        EXPECT_EQ(found().origin, "site");
        ASSERT_EQ(problems().size(), 1U) << name;
        EXPECT_EQ(problems()[0].find(file + ": the file is writable by a group; allowed: "), 0U);
        paths_.group = getegid();
        std::filesystem::remove(file);
    }
    add("etc/policy.toml", kLocked);
    paths_.group = getegid() + 1;
    for (const char* name : {"etc", "etc/policy.d"}) {
        const std::string folder = folder_ / name;
        ASSERT_EQ(chmod(folder.c_str(), 0775), 0);
        ASSERT_EQ(problems().size(), 1U) << folder;
        EXPECT_EQ(problems()[0].find(folder + ": the folder is writable by a group"), 0U);
        ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
    }
    ASSERT_EQ(chmod((folder_ / "run/policy.d").c_str(), 0775), 0);
    EXPECT_EQ(found().passed_over.size(), 1U);
    EXPECT_EQ(problems(), std::vector<std::string>());
}

TEST_F(Search, ASiteFolderThatEverybodyMayWriteToIsAProblemForAll) {
    add("etc/policy.toml", kLocked);
    variables_["RATION_POLICY"] = add("named.toml");
    for (const char* name : {"etc", "etc/policy.d"}) {
        const std::string folder = folder_ / name;
        for (const mode_t mode : {01777, 0757}) {
            ASSERT_EQ(chmod(folder.c_str(), mode), 0);
            EXPECT_EQ(found().origin, "site");
            EXPECT_TRUE(found().locked_out);
            ASSERT_EQ(problems().size(), 1U) << folder;
            EXPECT_EQ(problems()[0].find(folder + ": the folder is writable by everyone"), 0U)
                << problems()[0];
        }
        ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
        EXPECT_TRUE(problems().empty());
    }
}

// The front does not look at the folder, so nor may anybody else: a program that it leaves alone
// and one whose policy is named would differ.
TEST_F(Search, ASiteFolderWithoutPoliciesIsNobodysProblem) {
    ASSERT_EQ(rmdir((folder_ / "etc/policy.d").c_str()), 0);
    ASSERT_EQ(chmod((folder_ / "etc").c_str(), 0777), 0);
    EXPECT_EQ(found().kind, Kind::kNone);
    variables_["RATION_POLICY"] = add("named.toml");
    EXPECT_EQ(found().origin, "RATION_POLICY");
    add("etc/policy.toml");
    EXPECT_TRUE(found().locked_out);
}

TEST_F(Search, ASiteFolderOfSomebodyElseIsAProblem) {
    paths_.owner = geteuid() + 1;
    ASSERT_EQ(problems().size(), 2U);
    EXPECT_NE(problems()[0].find("/etc: the folder belongs to somebody else"), std::string::npos);
    EXPECT_NE(problems()[1].find("/etc/policy.d: the folder belongs"), std::string::npos);
}

TEST_F(Search, InAUserNamespaceWithoutRootItsFilesAreStillRoots) {
    add("etc/policy.d/site.toml", kLocked);
    add("run/policy.d/job.toml", "schema = 1\n");
    paths_.owner = 0;
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
    const pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWUSER) != 0) _exit(77);
        const Found inside = find([](const std::string&) { return std::nullopt; }, paths_);
        _exit(inside.loaded.problems.empty() && inside.loaded.policy.files.size() == 2 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no user namespaces here";
    EXPECT_EQ(status, 0);
}

TEST_F(Search, ASiteFileOfSomebodyElseIsAProblemForAll) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    variables_["RATION_POLICY"] = add("named.toml");
    for (const char* name : {"etc/policy.toml", "etc/policy.d/a.toml", "run/policy.d/job.toml"}) {
        const std::string file = add(name);
        EXPECT_EQ(found().origin, "RATION_POLICY");
        ASSERT_EQ(chown(file.c_str(), 4711, 0), 0);
        EXPECT_EQ(found().origin, "site");
        ASSERT_EQ(problems().size(), 1U) << name;
        EXPECT_EQ(problems()[0].find(file + ": the file belongs to somebody else"), 0U);
        std::filesystem::remove(file);
    }
}

TEST_F(Search, AFolderThatAnybodyMayHaveMadeIsPassedOver) {
    add("run/policy.d/job.toml", kLocked);
    EXPECT_EQ(found().kind, Kind::kPolicy);
    paths_.etc = folder_ / "none";
    paths_.owner = geteuid() + 1;
    EXPECT_EQ(found().kind, Kind::kNone);
    ASSERT_EQ(found().passed_over.size(), 1U);
    EXPECT_EQ(found().passed_over[0].place.file, folder_ / "run/policy.d");
    paths_.owner = geteuid();
    ASSERT_EQ(chmod((folder_ / "run/policy.d").c_str(), 01777), 0);
    EXPECT_EQ(found().kind, Kind::kNone);
    EXPECT_EQ(found().passed_over.size(), 1U);
    std::filesystem::rename(folder_ / "run/policy.d", folder_ / "elsewhere");
    ASSERT_EQ(chmod((folder_ / "elsewhere").c_str(), 0755), 0);
    std::filesystem::create_symlink(folder_ / "elsewhere", folder_ / "run/policy.d");
    EXPECT_EQ(found().kind, Kind::kNone);
}

TEST_F(Search, AUserFileOfAMissingOrForeignHomeIsNone) {
    variables_["HOME"] = "/nonexistent";
    EXPECT_EQ(found().kind, Kind::kNone);
    variables_["HOME"] = "/dev/null";
    EXPECT_EQ(found().kind, Kind::kNone);
}

// docker run -u 1000 in an image whose HOME is /root.
TEST_F(Search, AHomeThatMayNotBeLookedIntoIsNone) {
    add("home/.config/ration/policy.toml");
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
    std::filesystem::permissions(folder_ / "home", std::filesystem::perms(0));
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(77);
        paths_.etc = folder_ / "none";
        const Found seen = found();
        _exit(seen.kind == Kind::kNone && seen.passed_over.size() == 1 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    std::filesystem::permissions(folder_ / "home", std::filesystem::perms(0755));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Search, AUserFileThatMayNotBeReadIsAProblem) {
    const std::string file = add("home/.config/ration/policy.toml", plain(), 0);
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(77);
        paths_.etc = folder_ / "none";
        _exit(found().kind == Kind::kPolicy && problems().size() == 1 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Search, AFileIsJudgedWithTheFoldersAroundIt) {
    const std::string file = folder_ / "etc/policy.d/a.toml";
    const std::string job = folder_ / "run/policy.d/job.toml";
    EXPECT_TRUE(folder_problems(file, paths_).empty());
    EXPECT_TRUE(folder_problems(job, paths_).empty());
    paths_.owner = geteuid() + 1;
    EXPECT_EQ(folder_problems(file, paths_).size(), 2U);
    EXPECT_EQ(folder_problems(folder_ / "etc/policy.toml", paths_).size(), 1U);
    EXPECT_EQ(folder_problems(job, paths_).size(), 1U);
    EXPECT_TRUE(folder_problems(folder_ / "elsewhere.toml", paths_).empty());
}

TEST_F(Search, LoadRefusesToReadForever) {
    const std::string big = add("big.toml", std::string(3U << 20U, '#'));
    Diagnostics problems;
    const auto source = load(big, Standing::kUser, problems);
    ASSERT_TRUE(source);
    EXPECT_LE(source->text.size(), (1U << 20U) + 1);
    EXPECT_EQ(lines(read({*source}).problems).size(), 1U);
}

TEST_F(Search, SiteFilesAreKnownByTheirPath) {
    EXPECT_TRUE(is_site_file("/etc/ration/policy.toml"));
    EXPECT_TRUE(is_site_file("/run/ration/policy.d/job.toml"));
    EXPECT_FALSE(is_site_file("/run/ration/u0/records"));
    EXPECT_FALSE(is_site_file("/etc/rationale"));
    EXPECT_FALSE(is_site_file("policy.toml"));
}

}  // namespace
}  // namespace ration::policy
