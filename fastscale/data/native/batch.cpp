// Threads that make the images of whole batches without Python. One call submits a batch, another
// waits for it, and neither holds the GIL. Batches are made in the order of submission; a thread
// that finds nothing left to do in one starts the next.
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "augment.hpp"
#include "jpeg.hpp"

namespace fastscale {

const int OPS = 2;  // most operations on an image

struct Image {
    const uint8_t* data;
    int64_t size;
    int32_t height, width, jpeg, flipped;
    int32_t box[4];    // top, left, height, width
    int32_t ops[OPS];  // indices into the batch's table; -1: none
};

struct Batch {
    const Image* images;
    const Op* ops;
    uint8_t* out;
    int count, side, most;
    int taken = 0, done = 0, damaged = -1;  // damaged: the first damaged image
};

// The memory of one thread.
struct Maker {
    Jpeg jpeg;
    Resize resize;
    Augment augment;

    bool make(const Batch& batch, int k) {
        const Image& image = batch.images[k];
        uint8_t* pixels = batch.out + size_t(k) * batch.side * batch.side * 3;
        Output out{pixels, batch.side, bool(image.flipped)};
        const int32_t* box = image.box;
        if (image.jpeg) {
            if (!jpeg.crop(image.data, size_t(image.size), image.height, image.width, box,
                           batch.most, resize, out))
                return false;
        } else {
            resize.start(0, 0, box[2], box[3], box[2], box[3], out);
            const uint8_t* row = image.data + (size_t(box[0]) * image.width + box[1]) * 3;
            for (int j = 0; j < box[2]; j++, row += size_t(image.width) * 3) resize.push(row);
        }
        const Op* ops[OPS];
        int count = 0;
        for (int number : image.ops)
            if (number >= 0) ops[count++] = batch.ops + number;
        if (count) augment.apply(pixels, batch.side, ops, count);
        return true;
    }
};

class Pool {
  public:
    explicit Pool(int threads) {
        for (int k = 0; k < threads; k++) threads_.emplace_back([this] { work(); });
    }
    ~Pool() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            ended_ = true;
        }
        some_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }
    void submit(Batch* batch) {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            waiting_.push_back(batch);
        }
        some_.notify_all();
    }
    void wait(const Batch* batch) {
        std::unique_lock<std::mutex> lock(mutex_);
        finished_.wait(lock, [&] { return batch->done == batch->count; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable some_, finished_;
    std::deque<Batch*> waiting_;  // batches with images that no thread has taken
    bool ended_ = false;
    std::vector<std::thread> threads_;

    void work() {
        auto maker = std::make_unique<Maker>();
        std::unique_lock<std::mutex> lock(mutex_);
        while (true) {
            some_.wait(lock, [&] { return ended_ || !waiting_.empty(); });
            if (ended_) return;
            Batch* batch = waiting_.front();
            int k = batch->taken++;
            if (batch->taken == batch->count) waiting_.pop_front();
            lock.unlock();
            bool whole = maker->make(*batch, k);
            lock.lock();
            if (!whole && (batch->damaged < 0 || k < batch->damaged)) batch->damaged = k;
            if (++batch->done == batch->count) finished_.notify_all();
        }
    }
};

}  // namespace fastscale

using namespace fastscale;

extern "C" {

int fastscale_sizes(int which) { return which ? sizeof(Op) : sizeof(Image); }

Pool* fastscale_open(int threads) try { return new Pool(threads); } catch (...) { return nullptr; }

// Ends the threads. Batches that were not waited for stay incomplete.
void fastscale_close(Pool* pool) { delete pool; }

// Fills (count, side, side, 3) bytes at `out`. The caller owns all memory and must wait.
Batch* fastscale_submit(Pool* pool, const Image* images, int count, const Op* ops, uint8_t* out,
                        int side, int most) {
    Batch* batch = new Batch{images, ops, out, count, side, most};
    pool->submit(batch);
    return batch;
}

// Returns the first image with damaged data, or -1.
int fastscale_wait(Pool* pool, Batch* batch) {
    pool->wait(batch);
    int damaged = batch->damaged;
    delete batch;
    return damaged;
}
}
