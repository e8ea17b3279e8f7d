// Which device a run computes on, that it gives what the CPU gives, and what happens when its memory
// ends.

#include "grin/run/device.h"

#include <gmock/gmock.h>

#include <cmath>

#include "grin/base/error.h"
#include "grin/run/generate.h"
#include "grin/run/loglik.h"
#include "grin/run/stages.h"
#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::HasSubstr;

std::string DeviceRefusal(const std::string& name) {
  return MessageOf([&] { FindDevice(name); });
}

TEST(FindDevice, KnowsItsNames) {
  EXPECT_EQ(FindDevice("cpu"), at::Device(at::kCPU));
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda: 1", "cuda:1000", "CUDA"}) {
    EXPECT_THAT(DeviceRefusal(name), HasSubstr("is not known; it is cpu, cuda, cuda:N or auto")) << name;
  }
  // Whether a build has CUDA and a machine has cards, so many they are not.
  EXPECT_THAT(DeviceRefusal("cuda:999"), HasSubstr("--device cuda:999: this "));
  ComputeOptions compute;
  EXPECT_EQ(compute.device, "auto");
  SettleDevice(compute);
  EXPECT_EQ(FindDevice(compute.device), FindDevice("auto"));
  EXPECT_NE(compute.device, "auto");
}

TEST(FindDevice, TakesTheNameOfARegisteredDevice) {
  if (TestDevice().is_cpu()) GTEST_SKIP() << "none is registered";
  EXPECT_EQ(FindDevice("standin"), TestDevice());
  ComputeOptions compute{.device = "standin"};
  SettleDevice(compute);
  EXPECT_EQ(compute.device, "standin");
}

struct DeviceRun {
  UnlearnResult result;
  std::map<std::string, at::Tensor> weights;  // on the CPU
};

DeviceRun RunOnDevice(const ToyRun& toy, const std::string& device) {
  WorkspaceOptions where = toy.where();
  where.compute.device = device;
  Workspace workspace = OpenWorkspace(where);
  DeviceRun run;
  run.result = Unlearn(workspace, LoadTask(workspace, toy.task()), toy.unlearn());
  for (const auto& [name, tensor] : workspace.model.weights->tensors()) {
    run.weights[name] = tensor.cpu();
  }
  return run;
}

// Locating, noise, reference values, tuning and the judge: the same mask but for scores that rounding
// moves past each other, and the same weights but for the roundings of two steps of AdamW, which go as
// far as the learning rate where a gradient is rounding noise.
TEST(Device, UnlearnsAsTheCpuDoes) {
  if (TestDevice().is_cpu()) GTEST_SKIP() << "this is the CPU";
  const ToyRun toy("device_unlearn");
  const DeviceRun cpu = RunOnDevice(toy, "cpu"), device = RunOnDevice(toy, TestDeviceName());
  ASSERT_EQ(device.result.mask.count(), cpu.result.mask.count());
  int64_t apart = 0;
  for (const MaskTensor& tensor : cpu.result.mask.tensors()) {
    const MaskTensor& other = *device.result.mask.Find(tensor.name);
    for (int64_t i = 0; i < tensor.size(); ++i) apart += tensor.Has(i) != other.Has(i);
  }
  EXPECT_LE(apart, cpu.result.mask.count() / 200);
  const auto loss = [](const DeviceRun& run, const char* name) {
    return run.result.tuned.first.at(name).get<double>();
  };
  for (const char* name : {"forget_loss", "retain_loss"}) {
    EXPECT_NEAR(loss(device, name), loss(cpu, name), 1e-2 * std::abs(loss(cpu, name))) << name;
  }
  int64_t moved = 0, total = 0;
  for (const auto& [name, weight] : cpu.weights) {
    moved += (weight - device.weights.at(name)).abs().gt(2e-3).sum().item<int64_t>();
    total += weight.numel();
  }
  EXPECT_LE(moved, 2 * apart + total / 2000);
}

// With a limit at which `work` runs out of memory.
template <typename Work>
std::string MessageWithout(int64_t bytes, const Work& work) {
  LimitStandIn(BytesOfStandIn() + bytes);
  const std::string message = MessageOf(work);
  LimitStandIn(0);
  return message;
}

TEST(Device, SaysInWhichStageItsMemoryEnds) {
  if (TestDevice().is_cpu()) GTEST_SKIP() << "this is the CPU";
  const ToyRun toy("device_memory");
  EXPECT_THAT(MessageWithout(10'000, [&] { OpenWorkspace(toy.where()); }),
              HasSubstr("standin: the device's memory has ended while loading the weights"));
  Workspace workspace = OpenWorkspace(toy.where());
  const LoadedTask task = LoadTask(workspace, toy.task());
  const auto files = toy.Files();
  UnlearnOptions options = toy.unlearn();
  options.output.out = toy.dir() / "out";
  // What can be foreseen is refused before anything is begun.
  EXPECT_THAT(MessageWithout(1'000'000, [&] { Unlearn(workspace, task, options); }),
              HasSubstr("does not fit the memory that is free on standin"));
  EXPECT_EQ(toy.Files(), files) << "nothing is half written";
  EXPECT_THAT(MessageWithout(20'000, [&] { RunGenerate(workspace, {.prompt = "Who?"}); }),
              HasSubstr("while generating"));
  Unlearn(workspace, task, options);  // the memory is there again
  EXPECT_TRUE(fs::exists(toy.dir() / "out/grin.json"));
}

}  // namespace
}  // namespace grin
