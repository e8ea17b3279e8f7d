// What the stand-in device promises to the tests that run on it.

#include "tests/standin/standin.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace grin {
namespace {

class StandIn : public testing::Test {
 protected:
  void SetUp() override { InstallStandIn(); }

  static at::Tensor Device(const at::Tensor& host) { return host.to(kStandIn, host.scalar_type(), true); }
};

using StandInDeathTest = StandIn;

TEST_F(StandInDeathTest, AHostThatReadsItsMemoryDies) {
  const at::Tensor numbers = Device(at::ones({4}));
  EXPECT_DEATH(
      {
        volatile float read = *numbers.const_data_ptr<float>();
        (void)read;
      },
      "");
}

TEST_F(StandInDeathTest, AHostThatWritesItsMemoryDies) {
  const at::Tensor numbers = Device(at::ones({4}));
  EXPECT_DEATH(*numbers.mutable_data_ptr<float>() = 1, "");
}

TEST_F(StandInDeathTest, MemoryThatOperatorsHaveUsedIsClosed) {
  at::Tensor numbers = Device(at::ones({4}));
  numbers.add_(1).mul_(2);
  EXPECT_EQ(numbers[2].item<float>(), 4);
  EXPECT_DEATH(*numbers.mutable_data_ptr<float>() = 1, "");
}

TEST_F(StandIn, RefusesTensorsOfBothSides) {
  const at::Tensor host = at::ones({3, 3}), device = Device(host);
  EXPECT_THROW(device + host, c10::Error);
  EXPECT_THROW(at::mm(host, device), c10::Error);
  EXPECT_THROW(at::cat({device, host}), c10::Error);
  EXPECT_THROW(device.index_select(0, at::zeros({1}, at::kLong)), c10::Error);
  EXPECT_THROW(device.index({at::zeros({1}, at::kLong)}), c10::Error);
  at::Tensor out = at::empty({3, 3});
  EXPECT_THROW(at::mul_out(out, device, device), c10::Error);
}

TEST_F(StandIn, TakesATensorOfTheHostForANumberWhereItHasNoDimensions) {
  const at::Tensor device = Device(at::ones({3}));
  EXPECT_TRUE(at::equal((device * at::scalar_tensor(2.0)).cpu(), at::full({3}, 2.0f)));
}

TEST_F(StandIn, OperatorsGiveWhatThoseOfTheCpuGive) {
  const at::Tensor a = at::rand({5, 7}), b = at::rand({7, 3}), rows = at::tensor({4, 0, 4});
  const auto same = [](const at::Tensor& device, const at::Tensor& host) {
    EXPECT_EQ(device.device(), kStandIn);
    EXPECT_TRUE(at::equal(device.cpu(), host));
  };
  const at::Tensor x = Device(a), y = Device(b), at_rows = Device(rows);
  same(at::mm(x, y), at::mm(a, b));
  same(x.t().contiguous(), a.t().contiguous());
  same(x.softmax(-1), a.softmax(-1));
  same(x.index_select(0, at_rows), a.index_select(0, rows));
  same(at::cat({x, x.narrow(0, 1, 2)}), at::cat({a, a.narrow(0, 1, 2)}));
  same(at::arange(5, at::TensorOptions(at::kLong).device(kStandIn)), at::arange(5, at::kLong));
  same(at::zeros({2, 3}, x.options()).index_add_(0, Device(at::tensor({1, 1, 0, 1, 0})),
                                                 x.narrow(1, 0, 3)),
       at::zeros({2, 3}).index_add_(0, at::tensor({1, 1, 0, 1, 0}), a.narrow(1, 0, 3)));
  const auto [values, places] = x.sort(1);
  const auto [host_values, host_places] = a.sort(1);
  same(values, host_values);
  same(places, host_places);
  at::Tensor out = at::empty({0}, x.options());
  at::mm_out(out, x, y);
  same(out, at::mm(a, b));
}

TEST_F(StandIn, ViewsShareMemory) {
  at::Tensor x = Device(at::zeros({4, 6}));
  x.narrow(0, 1, 2).t().select(0, 3).fill_(5);
  x.view({-1}).narrow(0, 0, 1).add_(1);
  x.reshape({2, 2, 6}).select(0, 1).mul_(2).sub_(1);
  at::Tensor host = at::zeros({4, 6});
  host.narrow(0, 1, 2).t().select(0, 3).fill_(5);
  host.view({-1}).narrow(0, 0, 1).add_(1);
  host.reshape({2, 2, 6}).select(0, 1).mul_(2).sub_(1);
  EXPECT_TRUE(at::equal(x.cpu(), host));
}

TEST_F(StandIn, GradientsComeBack) {
  const at::Tensor a = at::rand({4, 4});
  const auto gradient = [](const at::Tensor& input) {
    at::Tensor x = input.detach().requires_grad_(true);
    const at::Tensor loss = (at::mm(x, x).tanh() * x.exp()).sum();
    torch::autograd::backward({loss}, {at::ones_like(loss)});
    return x.grad();
  };
  EXPECT_TRUE(at::equal(gradient(Device(a)).cpu(), gradient(a)));
}

// How often the host waits while `work` runs.
template <typename Work>
int64_t WaitsOf(const Work& work) {
  const int64_t before = CountsOfStandIn().synchronisations();
  work();
  return CountsOfStandIn().synchronisations() - before;
}

TEST_F(StandIn, CountsWhatTheHostWaitsFor) {
  const at::Tensor host = at::tensor({1.0f, 0.0f, 3.0f}), device = Device(host);
  EXPECT_EQ(WaitsOf([&] { device.mul(2).sum().add_(1).view({1}); }), 0);
  EXPECT_EQ(WaitsOf([&] { device.sum().item<float>(); }), 1);
  EXPECT_EQ(WaitsOf([&] { (void)device.cpu(); }), 1);
  EXPECT_EQ(WaitsOf([&] { host.clone().copy_(device); }), 1);
  EXPECT_EQ(WaitsOf([&] { device.nonzero(); }), 1);
  EXPECT_GE(WaitsOf([&] { device.index({device.gt(0)}); }), 1);
  EXPECT_EQ(WaitsOf([&] { device.index({device.gt(0).to(at::kLong)}); }), 0);
  EXPECT_EQ(WaitsOf([&] { at::_unique2(device); }), 1);
  EXPECT_EQ(WaitsOf([&] { at::equal(device, device); }), 1);
  EXPECT_EQ(WaitsOf([&] { host.to(kStandIn); }), 1);
  EXPECT_EQ(WaitsOf([&] { device.where(device.gt(0), at::scalar_tensor(1.0f)); }), 1);
  EXPECT_EQ(WaitsOf([&] { device.where(device.gt(0), 1); }), 0);  // makes the number over there
  EXPECT_EQ(WaitsOf([&] { device.masked_fill(device.gt(0), 1); }), 0);
  EXPECT_EQ(WaitsOf([&] { Device(host); }), 0);
}

TEST_F(StandIn, MemoryIsCountedAndEnds) {
  const int64_t before = BytesOfStandIn();
  ForgetPeakOfStandIn();
  {
    const at::Tensor large = at::empty({1 << 20}, at::TensorOptions(at::kFloat).device(kStandIn));
    EXPECT_EQ(BytesOfStandIn() - before, 4 << 20);
  }
  EXPECT_EQ(BytesOfStandIn(), before);
  EXPECT_EQ(PeakOfStandIn() - before, 4 << 20);
  LimitStandIn(before + (1 << 20));
  EXPECT_THROW(at::empty({1 << 20}, at::TensorOptions(at::kFloat).device(kStandIn)),
               c10::OutOfMemoryError);
  LimitStandIn(0);
}

}  // namespace
}  // namespace grin
