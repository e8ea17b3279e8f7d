// grin fetch: a model or a data set from the hub into the cache that Python tools share.

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/stopwatch.h"
#include "grin/cli/command.h"
#include "grin/hub/fetch.h"

namespace grin {
namespace {

struct FetchFlags {
  bool dataset = false;
  std::string include, exclude;
  int64_t parallel = 4;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("dataset", dataset, "the repository is a data set");
    visit.List("include", include,
                "patterns of the files wanted, such as '*.json'; default: all, but of a model with "
                "safetensors no weights in other formats");
    visit.List("exclude", exclude, "patterns of files not wanted");
    visit("parallel", parallel, "downloads at once");
  }
};

struct FetchSettings {
  std::string repo;
  FetchFlags fetch;
};

void FetchCommand(const FetchSettings& options, const CommonOptions& common) {
  const Stopwatch clock;
  HubRepo repo;
  if (IsHubUrl(options.repo)) {
    const HubUrl url = ParseHubUrl(options.repo);
    if (!url.path.empty()) {
      BadUsage("fetch", "{}: names a file; give the repository, and the file by --include {}",
               options.repo, url.path);
    }
    repo = url.repo;
  } else {
    repo = ParseHubRepo(options.repo, options.fetch.dataset ? HubKind::kDataset : HubKind::kModel);
  }
  const HubFetchReport report =
      FetchFromHub(repo, {.include = options.fetch.include,
                          .exclude = options.fetch.exclude,
                          .parallel = static_cast<int>(options.fetch.parallel)});
  Info("{}: {} files, {} fetched now ({:.1f} MB) in {}; {} of the repository left out",
       repo.Describe(), report.files, report.fetched, static_cast<double>(report.bytes) / 1e6,
       FormatDuration(clock.seconds()), report.left_out);
  if (common.json) {
    PrintJson(common, {{"snapshot", report.snapshot.string()},
                       {"commit", report.commit},
                       {"files", report.files},
                       {"fetched", report.fetched},
                       {"bytes", report.bytes},
                       {"left_out", report.left_out}});
  } else {
    fmt::print("{}\n", report.snapshot.string());
  }
}

std::function<void()> SetUpFetch(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<FetchSettings>();
  flags.Positional("REPO", options->repo, "ORG/NAME, or ORG/NAME@REVISION");
  flags.Bind("Download", options->fetch);
  return [options, &common] { FetchCommand(*options, common); };
}

}  // namespace

extern const Command kFetch;
const Command kFetch = {
    .name = "fetch",
    .summary = "download a model or a data set from the hub into the local cache",
    .examples =
        "Examples:\n"
        "  grin fetch HuggingFaceTB/SmolLM2-135M-Instruct\n"
        "  grin fetch --dataset locuslab/TOFU --include '*.json'\n"
        "Then: --model ORG/NAME, --forget hub://datasets/ORG/NAME/FILE. The folder of the "
        "snapshot goes to stdout. HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and "
        "HF_HUB_OFFLINE are heeded as Python tools do.",
    .set_up = SetUpFetch,
    .heeds = ""};

}  // namespace grin
