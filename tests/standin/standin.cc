#include "tests/standin/standin.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/Allocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/mman.h>
#include <torch/library.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace grin {
namespace {

std::atomic<int64_t> reads, blocking_writes, operators, bytes_taken, peak, limit;

// Memory of a tensor. It is mapped twice: nobody may touch it where the tensor says that it is, and
// operators find it at another place. So nothing has to be opened and closed around an operator, which
// would cost more than most operators.
struct Block {
  char* closed;
  char* open;
  size_t bytes;
};

// Blocks of tensors that are gone serve the next ones of their size: touching fresh pages costs more
// than most operators, too.
class BlockPool {
 public:
  Block* Take(size_t bytes) {
    const std::lock_guard lock(mutex_);
    const size_t size = Rounded(std::max<size_t>(bytes, 1), kGrain);
    const int64_t now = bytes_taken + static_cast<int64_t>(size);
    TORCH_CHECK_WITH(OutOfMemoryError, limit == 0 || now <= limit,
                     "standin out of memory. Tried to allocate ", size, " bytes; ",
                     limit - bytes_taken, " of ", limit.load(), " are free.");
    bytes_taken = now;
    peak = std::max<int64_t>(peak, now);
    std::vector<Block*>& free = free_[size];
    if (!free.empty()) {
      Block* block = free.back();
      free.pop_back();
      return block;
    }
    if (size > left_) MapMore(size);
    auto* block = new Block{closed_, open_, size};
    closed_ += size;
    open_ += size;
    left_ -= size;
    return block;
  }

  void Give(Block* block) {
    const std::lock_guard lock(mutex_);
    bytes_taken -= static_cast<int64_t>(block->bytes);
    free_[block->bytes].push_back(block);
  }

 private:
  static constexpr size_t kGrain = 512;  // as on a card
  static constexpr size_t kChunk = size_t{64} << 20;

  static size_t Rounded(size_t bytes, size_t multiple) {
    return (bytes + multiple - 1) / multiple * multiple;
  }

  void MapMore(size_t size) {
    left_ = Rounded(size, kChunk);
    const int memory = memfd_create("standin", 0);
    TORCH_CHECK(memory >= 0 && ftruncate(memory, static_cast<off_t>(left_)) == 0,
                "standin: there is no memory of ", left_, " bytes");
    closed_ = Map(memory, PROT_NONE);
    open_ = Map(memory, PROT_READ | PROT_WRITE);
    close(memory);
  }

  char* Map(int memory, int protection) const {
    void* data = mmap(nullptr, left_, protection, MAP_SHARED, memory, 0);
    TORCH_CHECK(data != MAP_FAILED, "standin: mmap of ", left_, " bytes failed");
    return static_cast<char*>(data);
  }

  std::mutex mutex_;
  std::map<size_t, std::vector<Block*>> free_;
  char* closed_ = nullptr;  // what is left of the last mapping
  char* open_ = nullptr;
  size_t left_ = 0;
};

// Never destroyed: tensors may outlive it.
BlockPool& Pool() {
  static auto* pool = new BlockPool;
  return *pool;
}

class StandInAllocator : public c10::DeviceAllocator {
 public:
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override { return {}; }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override { peak = bytes_taken.load(); }
  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex) override {
    constexpr int64_t kUnlimited = int64_t{1} << 60;
    const int64_t all = limit == 0 ? kUnlimited : limit.load();
    return {static_cast<size_t>(std::max<int64_t>(0, all - bytes_taken)), static_cast<size_t>(all)};
  }

  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &Release, kStandIn};
    Block* block = Pool().Take(bytes);
    return {block->closed, block, &Release, kStandIn};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void*, const void*, size_t) const override {
    TORCH_CHECK(false, "standin: memory is copied by operators only");
  }

  static void Release(void* context) {
    if (context) Pool().Give(static_cast<Block*>(context));
  }
};

StandInAllocator allocator;

// Where operators find a tensor's memory; null where it has none.
char* OpenMemory(const at::Storage& storage) {
  const auto* block = static_cast<const Block*>(storage.data_ptr().get_context());
  return block ? block->open : nullptr;
}

bool IsOurs(const at::Tensor& tensor) {
  return tensor.defined() && tensor.device().type() == c10::DeviceType::PrivateUse1;
}

// A tensor of the CPU over the same memory. When it is resized it takes memory of its own.
at::Tensor Alias(const at::Tensor& tensor) {
  const at::Storage& storage = tensor.storage();
  auto own = c10::make_intrusive<c10::StorageImpl>(
      c10::StorageImpl::use_byte_size_t(), storage.nbytes(),
      c10::DataPtr(OpenMemory(storage), at::kCPU), c10::GetDefaultCPUAllocator(),
      /*resizable=*/true);
  at::Tensor alias = at::detail::make_tensor<c10::TensorImpl>(
      std::move(own), c10::DispatchKeySet(c10::DispatchKey::CPU), tensor.dtype());
  alias.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(),
                                                     tensor.storage_offset());
  return alias;
}

at::Tensor EmptyStrided(at::IntArrayRef sizes, at::IntArrayRef strides, caffe2::TypeMeta type) {
  const size_t bytes = at::detail::computeStorageNbytes(sizes, strides, type.itemsize());
  auto storage = c10::make_intrusive<c10::StorageImpl>(c10::StorageImpl::use_byte_size_t(), bytes,
                                                       allocator.allocate(bytes), &allocator,
                                                       /*resizable=*/true);
  at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), type);
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
  return tensor;
}

// Copies between a tensor of the device and one of any place, whatever their types.
void CopyInside(const at::Tensor& from, const at::Tensor& to) {
  const at::Tensor source = IsOurs(from) ? Alias(from) : from;
  at::Tensor target = IsOurs(to) ? Alias(to) : to;
  target.copy_(source);
}

at::Tensor ToDevice(const at::Tensor& host) {
  const at::Tensor tensor = EmptyStrided(host.sizes(), host.strides(), host.dtype());
  CopyInside(host, tensor);
  return tensor;
}

// --- operators that the device has itself ---

at::Tensor EmptyMemoryFormat(at::IntArrayRef sizes, std::optional<at::ScalarType> type,
                             std::optional<at::Layout>, std::optional<at::Device>,
                             std::optional<bool>, std::optional<at::MemoryFormat> format) {
  TORCH_CHECK(format.value_or(at::MemoryFormat::Contiguous) == at::MemoryFormat::Contiguous,
              "standin: tensors are contiguous");
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * std::max<int64_t>(sizes[i], 1);
  }
  return EmptyStrided(sizes, strides, c10::scalarTypeToTypeMeta(type.value_or(at::kFloat)));
}

at::Tensor EmptyStridedOp(at::IntArrayRef sizes, at::IntArrayRef strides,
                          std::optional<at::ScalarType> type, std::optional<at::Layout>,
                          std::optional<at::Device>, std::optional<bool>) {
  return EmptyStrided(sizes, strides, c10::scalarTypeToTypeMeta(type.value_or(at::kFloat)));
}

at::Tensor CopyFrom(const at::Tensor& self, const at::Tensor& target, bool non_blocking) {
  ++operators;
  if (IsOurs(self) && !IsOurs(target)) ++reads;
  if (!IsOurs(self) && !non_blocking) ++blocking_writes;
  CopyInside(self, target);
  return target;
}

const at::Tensor& Resize(const at::Tensor& self, at::IntArrayRef sizes,
                         std::optional<at::MemoryFormat>) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  const size_t bytes =
      (static_cast<size_t>(count) + self.storage_offset()) * self.dtype().itemsize();
  c10::StorageImpl* storage = self.storage().unsafeGetStorageImpl();
  if (bytes > storage->nbytes()) {
    c10::DataPtr data = allocator.allocate(bytes);
    if (storage->nbytes() > 0) {
      std::memcpy(static_cast<Block*>(data.get_context())->open, OpenMemory(self.storage()),
                  storage->nbytes());
    }
    storage->set_data_ptr_noswap(std::move(data));
    storage->set_nbytes(bytes);
  }
  self.unsafeGetTensorImpl()->set_sizes_contiguous(sizes);
  return self;
}

at::Tensor CopyFromAndResize(const at::Tensor& self, const at::Tensor& target) {
  Resize(target, self.sizes(), std::nullopt);
  return CopyFrom(self, target, /*non_blocking=*/false);
}

at::Scalar LocalScalar(const at::Tensor& self) {
  ++operators;
  ++reads;
  return Alias(self).item();
}

at::Tensor& SetStorage(at::Tensor& self, at::Storage source, int64_t offset, at::IntArrayRef sizes,
                       at::IntArrayRef strides) {
  self.unsafeGetTensorImpl()->set_storage_keep_dtype(std::move(source));
  self.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides, offset);
  return self;
}

at::Tensor& SetTensor(at::Tensor& self, const at::Tensor& source) {
  return SetStorage(self, source.storage(), source.storage_offset(), source.sizes(),
                    source.strides());
}

// --- all others ---

// Whether its result has a size, or is a value, that only the device knows.
bool AsksTheDevice(const c10::OperatorHandle& op, const std::vector<at::Tensor>& tensors) {
  const std::string& name = op.operator_name().name;
  if (name == "aten::index" || name.starts_with("aten::index_put") ||
      name.starts_with("aten::_index_put") || name.starts_with("aten::_unsafe_index")) {
    return std::ranges::any_of(tensors.begin() + 1, tensors.end(), [](const at::Tensor& t) {
      return t.defined() && t.scalar_type() == at::kBool && t.dim() > 0;
    });
  }
  if (name == "aten::repeat_interleave") return false;  // with its output size; else it asks itself
  return op.hasTag(at::Tag::data_dependent_output) || op.hasTag(at::Tag::dynamic_output_shape);
}

// Whether it copies a number that lies on the host to the device and waits for the copy. Most operators
// take such a number as an argument of their kernel.
bool CopiesNumbers(const c10::OperatorHandle& op) {
  const std::string& name = op.operator_name().name;
  return name == "aten::where" || name.starts_with("aten::index_put") ||
         name.starts_with("aten::_index_put");
}

// An operator's tensors of the device, and their twins on the CPU.
class Twins {
 public:
  explicit Twins(const c10::OperatorHandle& op) : op_(op) {}

  at::Tensor Of(const at::Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    seen_.push_back(tensor);
    if (!IsOurs(tensor)) {
      (tensor.dim() > 0 ? host_ : number_) = true;
      return tensor;
    }
    for (const auto& [ours, alias] : pairs_) {
      if (ours.is_same(tensor)) return alias;
    }
    pairs_.emplace_back(tensor, Alias(tensor));
    return pairs_.back().second;
  }

  void Check() const {
    TORCH_CHECK(pairs_.empty() || !host_, "standin: ", op_.operator_name(),
                " was called with tensors of the device and of the host");
  }

  const std::vector<at::Tensor>& seen() const { return seen_; }
  bool both() const { return !pairs_.empty() && number_; }

  // What a result of the CPU is on the device: the very tensor that was given, a view of one, or a
  // new tensor.
  at::Tensor Back(const at::Tensor& result) {
    if (!result.defined()) return result;
    for (const auto& [ours, alias] : pairs_) {
      if (alias.is_same(result)) return ours;
    }
    for (const auto& [ours, alias] : pairs_) {
      if (result.storage().data() && result.storage().data() == alias.storage().data()) {
        return at::native::as_strided_tensorimpl(ours, result.sizes(), result.strides(),
                                                 result.storage_offset());
      }
    }
    return ToDevice(result);
  }

  // Takes over what an operator has resized.
  void Finish() {
    for (auto& [ours, alias] : pairs_) {
      if (alias.storage().data() == OpenMemory(ours.storage())) {
        if (alias.sizes() != ours.sizes() || alias.strides() != ours.strides()) {
          ours.unsafeGetTensorImpl()->set_sizes_and_strides(alias.sizes(), alias.strides());
        }
        continue;
      }
      Resize(ours, alias.sizes(), std::nullopt);
      CopyInside(alias, ours);
    }
  }

 private:
  const c10::OperatorHandle& op_;
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs_;
  std::vector<at::Tensor> seen_;
  bool host_ = false, number_ = false;  // whether there was a tensor of the CPU, a number of it
};

c10::IValue Converted(const c10::IValue& value, Twins& twins) {
  if (value.isTensor()) return twins.Of(value.toTensor());
  if (value.isDevice()) return c10::Device(at::kCPU);
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(twins.Of(tensor));
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (const std::optional<at::Tensor> tensor : value.toOptionalTensorList()) {
      list.push_back(tensor ? std::optional(twins.Of(*tensor)) : std::nullopt);
    }
    return list;
  }
  return value;
}

c10::IValue ConvertedBack(const c10::IValue& value, Twins& twins) {
  if (value.isTensor()) return twins.Back(value.toTensor());
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(twins.Back(tensor));
    return list;
  }
  return value;
}

void RunOnCpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  ++operators;
  Twins twins(op);
  const size_t arguments = op.schema().arguments().size();
  const size_t first = stack->size() - arguments;
  for (size_t i = first; i < stack->size(); ++i) (*stack)[i] = Converted((*stack)[i], twins);
  twins.Check();
  if (AsksTheDevice(op, twins.seen())) ++reads;
  if (twins.both() && CopiesNumbers(op)) ++blocking_writes;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    op.callBoxed(stack);
  }
  twins.Finish();
  for (size_t i = first; i < stack->size(); ++i) (*stack)[i] = ConvertedBack((*stack)[i], twins);
}

// --- what LibTorch asks a device besides ---

struct StandInGuard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::DeviceType::PrivateUse1; }
  c10::Device exchangeDevice(c10::Device) const override { return kStandIn; }
  c10::Device getDevice() const override { return kStandIn; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override {
    return c10::Stream(c10::Stream::DEFAULT, kStandIn);
  }
  c10::Stream getDefaultStream(c10::Device) const override {
    return c10::Stream(c10::Stream::DEFAULT, kStandIn);
  }
  c10::Stream exchangeStream(c10::Stream) const override {
    return c10::Stream(c10::Stream::DEFAULT, kStandIn);
  }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  // Its operators are done when they return.
  void record(void** event, const c10::Stream&, const c10::DeviceIndex,
              const c10::EventFlag) const override {
    *event = this_event_;
  }
  bool queryEvent(void*) const override { return true; }
  void synchronizeEvent(void*) const override {}
  void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}

 private:
  void* this_event_ = &reads;
};

struct StandInHooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  // at::manual_seed asks for it. What is random in GRIN never comes from a device.
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static const at::Generator generator = at::detail::createCPUGenerator();
    return generator;
  }
  c10::Allocator* getPinnedMemoryAllocator() const override {
    return c10::GetDefaultCPUAllocator();
  }
};

void Register() {
  static StandInGuard guard;
  static StandInHooks hooks;
  c10::register_privateuse1_backend("standin");
  c10::SetAllocator(c10::DeviceType::PrivateUse1, &allocator);
  c10::impl::device_guard_impl_registry[static_cast<size_t>(c10::DeviceType::PrivateUse1)].store(
      &guard);
  at::RegisterPrivateUse1HooksInterface(&hooks);

  static torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::PrivateUse1, __FILE__,
                             __LINE__);
  aten.impl("empty.memory_format", EmptyMemoryFormat);
  aten.impl("empty_strided", EmptyStridedOp);
  aten.impl("_copy_from", CopyFrom);
  aten.impl("_copy_from_and_resize", CopyFromAndResize);
  aten.impl("_local_scalar_dense", LocalScalar);
  aten.impl("resize_", Resize);
  aten.impl("set_.source_Storage_storage_offset", SetStorage);
  aten.impl("set_.source_Tensor", SetTensor);
  aten.impl("as_strided", at::native::as_strided_tensorimpl);
  aten.impl("view", static_cast<at::Tensor (*)(const at::Tensor&, at::IntArrayRef)>(
                        at::native::view));
  aten.impl("_reshape_alias", at::native::_reshape_alias);
  aten.impl("unfold", at::native::unfold);
  // LibTorch makes it of six operators where a device has none of its own; a card has one kernel.
  aten.impl("silu_backward", torch::CppFunction::makeFromBoxedFunction<&RunOnCpu>());
  static torch::Library all(torch::Library::IMPL, "_", c10::DispatchKey::PrivateUse1, __FILE__,
                            __LINE__);
  all.fallback(torch::CppFunction::makeFromBoxedFunction<&RunOnCpu>());
}

}  // namespace

void InstallStandIn() {
  static std::once_flag once;
  std::call_once(once, Register);
}

StandInCounts CountsOfStandIn() {
  return {.reads = reads, .blocking_writes = blocking_writes, .operators = operators};
}

int64_t BytesOfStandIn() { return bytes_taken; }
int64_t PeakOfStandIn() { return peak; }
void ForgetPeakOfStandIn() { peak = bytes_taken.load(); }
void LimitStandIn(int64_t bytes) { limit = bytes; }

}  // namespace grin
