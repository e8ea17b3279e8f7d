// Fetching from a stand-in for the hub: what arrives, what is asked, and everything that can fail.

#include "grin/hub/fetch.h"

#include <gmock/gmock.h>

#include <thread>

#include "grin/base/atomic_file.h"
#include "grin/base/digest.h"
#include "grin/base/json.h"
#include "grin/io/checkpoint.h"
#include "tests/hub/hub_scratch.h"
#include "tests/hub/hub_server.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";

class HubFetch : public testing::Test {
 protected:
  HubServer server_;
  HubScratch hub_{"hub_fetch"};

  HubFetch() {
    setenv("HF_ENDPOINT", server_.Url().c_str(), 1);
    setenv("HF_TOKEN_PATH", "/nowhere", 1);
  }
  ~HubFetch() override {
    for (const char* name : {"HF_ENDPOINT", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"}) {
      unsetenv(name);
    }
  }

  fs::path Folder(const std::string& name) const { return hub_.root() / name; }
  static HubFetchReport Fetch(const std::string& repo, const HubFetchOptions& options = {}) {
    return FetchFromHub(ParseHubRepo(repo), options);
  }
  static std::string Failure(const std::string& repo) {
    return ErrorOf([&] { Fetch(repo); });
  }
};

// The large file's content, as the server makes it.
std::string Large() {
  std::string text;
  for (int64_t i = 0; i < 200000; ++i) text += static_cast<char>(i * i % 251);
  return text;
}

TEST_F(HubFetch, FillsTheCacheAsPythonDoes) {
  const HubFetchReport report = Fetch("org/tiny");
  EXPECT_EQ(report.files, 4);
  EXPECT_EQ(report.fetched, 4);
  EXPECT_EQ(report.left_out, 1);  // pytorch_model.bin beside safetensors
  const fs::path folder = Folder("models--org--tiny"), snapshot = folder / "snapshots" / kCommit;
  EXPECT_EQ(report.snapshot, snapshot);
  EXPECT_EQ(ReadFile(folder / "refs/main"), kCommit);
  EXPECT_EQ(ReadFile(snapshot / "config.json"), "{\"model_type\": \"llama\"}");
  EXPECT_EQ(ReadFile(snapshot / "empty.txt"), "");
  EXPECT_EQ(ReadFile(snapshot / "sub dir/notes#1.txt"), "Nö");
  EXPECT_EQ(ReadFile(snapshot / "model.safetensors"), Large());
  // Links into blobs, which are named by their digests.
  const fs::path link = fs::read_symlink(snapshot / "sub dir/notes#1.txt");
  EXPECT_THAT(link.string(), testing::StartsWith("../../../blobs/"));
  EXPECT_EQ(link.filename(), FileGitSha1(snapshot / "sub dir/notes#1.txt"));
  EXPECT_EQ(fs::read_symlink(snapshot / "model.safetensors").filename(),
            FileSha256(snapshot / "model.safetensors"));
  for (const auto& entry : fs::directory_iterator(folder / "blobs")) {
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("incomplete")));
  }
  EXPECT_EQ(FindInHubCache(ParseHubRepo("org/tiny")), snapshot);
  // Again: nothing is downloaded.
  const size_t before = server_.Log().size();
  EXPECT_EQ(Fetch("org/tiny").fetched, 0);
  EXPECT_EQ(server_.Log().size(), before + 2);  // the list, and the log itself
}

TEST_F(HubFetch, ChoosesRevisionsKindsAndFiles) {
  Fetch("org/tiny@v/1", {.include = "*.json,*.bin", .exclude = "config*"});
  const fs::path folder = Folder("models--org--tiny");
  EXPECT_EQ(ReadFile(folder / "refs/v/1"), kCommit);
  EXPECT_FALSE(fs::exists(folder / "refs/main"));
  EXPECT_TRUE(fs::exists(folder / "snapshots" / kCommit / "pytorch_model.bin"));
  EXPECT_FALSE(fs::exists(folder / "snapshots" / kCommit / "config.json"));
  const auto data = FetchFromHub(ParseHubRepo("org/tiny", HubKind::kDataset), {});
  EXPECT_EQ(data.snapshot, Folder("datasets--org--tiny") / "snapshots" / kCommit);
  EXPECT_TRUE(fs::exists(data.snapshot / "data/train.jsonl"));
  Fetch(std::string("org/tiny@") + kCommit);
  EXPECT_FALSE(fs::exists(folder / "refs" / kCommit));
  EXPECT_THAT(ErrorOf([] { Fetch("org/tiny", {.include = "*.zip"}); }),
              HasSubstr("none of its 5 files"));
}

TEST_F(HubFetch, TheTokenGoesToTheHubOnly) {
  EXPECT_THAT(Failure("private/tiny"), AllOf(HasSubstr("401"), HasSubstr("set HF_TOKEN")));
  setenv("HF_TOKEN", " hf_secret\n", 1);
  Fetch("private/tiny");
  int hub = 0, store = 0;
  for (const Json& request : server_.Log()) {
    if (request["path"] == "/log") continue;
    if (request["store"] == true) {
      ++store;
      EXPECT_TRUE(request["token"].is_null()) << request;
    } else if (request["token"] == "Bearer hf_secret") {
      ++hub;
    }
  }
  EXPECT_GT(hub, 4);
  EXPECT_GT(store, 0);
  setenv("HF_TOKEN", "other", 1);
  const std::string refused = Failure("private/other");
  EXPECT_THAT(refused, HasSubstr("HF_TOKEN is not accepted"));
  setenv("HF_TOKEN", "two\nlines", 1);
  EXPECT_THROW(Fetch("org/tiny"), Error);
}

TEST_F(HubFetch, GoesOnWhereAConnectionBroke) {
  const HubFetchReport report = Fetch("broken/tiny");
  EXPECT_EQ(ReadFile(report.snapshot / "model.safetensors"), Large());
  std::vector<std::string> ranges;
  for (const Json& request : server_.Log()) {
    if (request["store"] == true && request["range"].is_string())
      ranges.push_back(request["range"]);
  }
  EXPECT_THAT(ranges, testing::ElementsAre("bytes=70000-", "bytes=140000-"));
}

TEST_F(HubFetch, GoesOnWhereAnEarlierFetchEnded) {
  const std::string whole = Large(), good = whole.substr(0, 150000);
  std::string bad = good;
  bad[7] ^= 1;
  const std::string longer = whole + "more";
  struct Case {
    const char* org;
    std::string left;
    size_t requests;  // to the store
  };
  for (const auto& [org, left, requests] :
       {Case{"org", good, 1}, Case{"org", whole, 0}, Case{"org", bad, 2}, Case{"org", longer, 1},
        Case{"norange", good, 1}}) {
    const fs::path folder = Folder(fmt::format("models--{}--tiny", org));
    fs::remove_all(folder);
    fs::create_directories(folder / "blobs");
    Put(folder / "whole", whole);
    Put(folder / "blobs" / (FileSha256(folder / "whole") + ".incomplete"), left);
    const Json before = server_.Log();
    const auto report = Fetch(std::string(org) + "/tiny");
    EXPECT_EQ(ReadFile(report.snapshot / "model.safetensors"), whole);
    size_t count = 0;
    const Json after = server_.Log();
    for (size_t i = before.size(); i < after.size(); ++i) count += after[i]["store"] == true;
    EXPECT_EQ(count, requests) << org << " " << left.size();
  }
}

TEST_F(HubFetch, RepeatsWhatMayPassAndAsksByGetWhereNeeded) {
  EXPECT_EQ(Fetch("flaky/tiny").fetched, 4);
  EXPECT_EQ(Fetch("nohead/tiny").fetched, 4);
  EXPECT_EQ(Fetch("moved/tiny").fetched, 4);
}

TEST_F(HubFetch, KeepsNothingThatIsNotWhatWasAnnounced) {
  EXPECT_THAT(Failure("wrong/tiny"),
              AllOf(HasSubstr("'model.safetensors' came with the digest"), HasSubstr("announced")));
  const fs::path folder = Folder("models--wrong--tiny");
  EXPECT_FALSE(fs::exists(folder / "refs/main"));
  EXPECT_FALSE(fs::exists(folder / "snapshots" / kCommit / "model.safetensors"));
  EXPECT_THAT(Failure("evil/tiny"), HasSubstr("no usable 'rfilename'"));
}

TEST_F(HubFetch, SaysWhatIsWrong) {
  EXPECT_THAT(Failure("gated/tiny"),
              AllOf(HasSubstr("403"), HasSubstr("Ask first."), HasSubstr("is gated")));
  EXPECT_THAT(Failure("org/other"),
              AllOf(HasSubstr("org/other@main"), HasSubstr("404"), HasSubstr("--dataset")));
  EXPECT_THAT(Failure("org/tiny@next"), AllOf(HasSubstr("404"), HasSubstr("revision 'next'")));
  EXPECT_THAT(Failure("stuck/tiny"), HasSubstr("cannot be reached"));
  setenv("HF_HUB_OFFLINE", "1", 1);
  try {
    Fetch("org/tiny");
    ADD_FAILURE() << "fetched although offline";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("HF_HUB_OFFLINE"));
  }
  unsetenv("HF_HUB_OFFLINE");
  setenv("HF_ENDPOINT", "http://127.0.0.1:9", 1);  // nothing listens there
  EXPECT_THAT(Failure("org/tiny"),
              AllOf(HasSubstr("127.0.0.1:9 cannot be reached"), HasSubstr("check the network")));
  setenv("HF_ENDPOINT", "not a url", 1);
  EXPECT_THROW(Fetch("org/tiny"), Error);
}

TEST_F(HubFetch, SeveralAtOnceDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back(
        [&] { good += ReadFile(Fetch("broken/tiny").snapshot / "model.safetensors") == Large(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 4);
  // One of them downloaded, in three parts; the others waited.
  int store = 0;
  for (const Json& request : server_.Log()) store += request["store"] == true;
  EXPECT_EQ(store, 3);
}

TEST(Http, ResolvesAndEncodesUrls) {
  EXPECT_EQ(ResolveUrl("http://a/b/c?x=1", "/d"), "http://a/d");
  EXPECT_EQ(ResolveUrl("http://a/b/c", "https://e/f"), "https://e/f");
  EXPECT_EQ(UrlOrigin("https://a/b"), "https://a:443");
  EXPECT_NE(UrlOrigin("http://a:8080/b"), UrlOrigin("http://a/b"));
  EXPECT_EQ(UrlOrigin("no url"), "");
  EXPECT_EQ(UrlEncode("a b/ü", true), "a%20b/%C3%BC");
  EXPECT_EQ(UrlEncode("refs/pr/1", false), "refs%2Fpr%2F1");
}

}  // namespace
}  // namespace grin
