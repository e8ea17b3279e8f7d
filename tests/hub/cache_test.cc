// Names of the hub, and the cache's layout.

#include "grin/hub/cache.h"

#include <gmock/gmock.h>

#include "tests/hub/hub_scratch.h"

namespace grin {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

TEST(HubCache, ParsesNames) {
  EXPECT_EQ(ParseHubRepo("org/na.me-1_x").Describe(), "org/na.me-1_x@main");
  EXPECT_EQ(ParseHubRepo("gpt2@refs/pr/1").Describe(), "gpt2@refs/pr/1");
  EXPECT_EQ(ParseHubUrl("hub://org/name").repo.kind, HubKind::kModel);
  const HubUrl url = ParseHubUrl("hub://datasets/org/name@refs%2Fconvert%2Fparquet/d/a.parquet");
  EXPECT_EQ(url.repo.kind, HubKind::kDataset);
  EXPECT_EQ(url.repo.Describe(), "org/name@refs/convert/parquet");
  EXPECT_EQ(url.path, "d/a.parquet");
  for (const char* bad : {"", "a/b/c", "../x", "/abs", "a b", "org/", "a@", "a@../../x", "a\\b"}) {
    EXPECT_THAT(ErrorOf([&] { ParseHubRepo(bad); }), HasSubstr("[io] ")) << bad;
  }
}

TEST(HubCache, TellsWhatLeadsOutOfAFolder) {
  for (const char* good : {"a", "a/b.c", "..a", "a..", ".gitattributes"}) {
    EXPECT_TRUE(IsSafeHubPath(good)) << good;
  }
  for (const char* bad : {"", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\nb"}) {
    EXPECT_FALSE(IsSafeHubPath(bad)) << bad;
  }
}

TEST(HubCache, FindsSnapshots) {
  const HubScratch hub("hub_cache");
  hub.Add("models--org--name", "abc123", "main", {{"config.json", "{}"}});
  hub.Add("models--org--name", "def456", "refs/pr/1", {{"config.json", "{}"}});
  EXPECT_THAT(FindInHubCache(ParseHubRepo("org/name")), EndsWith("snapshots/abc123"));
  EXPECT_THAT(FindInHubCache(ParseHubRepo("org/name@refs/pr/1")), EndsWith("snapshots/def456"));
  EXPECT_THAT(FindInHubCache(ParseHubRepo("org/name@abc123")), EndsWith("snapshots/abc123"));
  EXPECT_THAT(ErrorOf([] { FindInHubCache(ParseHubRepo("org/other")); }),
              AllOf(HasSubstr("no model of that name"), HasSubstr("`grin fetch org/other`")));
  EXPECT_THAT(ErrorOf([] { FindInHubCache(ParseHubRepo("org/name@v2")); }),
              AllOf(HasSubstr("no revision 'v2'"), HasSubstr("`grin fetch org/name@v2`")));
  Put(hub.root() / "models--org--name/refs/main", "../../../etc");
  EXPECT_THAT(ErrorOf([] { FindInHubCache(ParseHubRepo("org/name")); }),
              HasSubstr("expected a commit"));
}

}  // namespace
}  // namespace grin
