// Shrinks by area, row by row, bit for bit as OpenCV's INTER_AREA: the same floating-point
// operations in the same order (compile with -ffp-contract=off). A box may start and end between
// pixels.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "lanes.hpp"

namespace fastscale {

// Source pixels of one output pixel along one axis, with their weights.
struct Cell {
    int first, count;
    float head, middle, tail;  // weights of the first, the middle and the last pixels
    float weight(int k) const { return k == 0 ? head : k + 1 < count ? middle : tail; }
};

// `cells` output pixels from `size` source pixels, from `start` on, of `pixels` in all.
inline void area_cells(double start, double size, int pixels, int cells, std::vector<Cell>& out) {
    double scale = 1.0 / (cells / size), end = start + size;
    out.resize(cells);
    for (int j = 0; j < cells; j++) {
        double from = start + j * scale, to = from + scale, width = std::min(scale, end - from);
        int last = std::min(int(std::floor(to)), pixels - 1);
        int next = std::min(int(std::ceil(from)), last);
        bool before = next - from > 1e-3, after = to - last > 1e-3;  // a part of a pixel
        float left = float((next - from) / width), each = float(1.0 / width);
        float right = float(std::min(std::min(to - last, 1.0), width) / width);
        Cell& cell = out[j];
        cell.first = before ? next - 1 : next;
        cell.count = int(before) + last - next + int(after);
        cell.head = before ? left : last > next ? each : right;
        cell.middle = each;
        cell.tail = after ? right : each;
    }
}

class Area {
  public:
    // `box`: top, left, height, width in rows of (rows, columns) pixels that will be pushed.
    void start(double top, double left, double height, double width, int rows, int columns,
               const Output& out) {
        out_ = out, next_ = 0;
        area_cells(top, height, rows, out.side, down_);
        area_cells(left, width, columns, out.side, across_);
        taps_ = 0;
        for (const Cell& cell : across_) taps_ = std::max(taps_, cell.count);
        size_t pairs = size_t(out.side + 1) / 2;
        offsets_.assign(pairs * 2, 0);
        weights_.assign(pairs * taps_, Floats{});
        for (int j = 0; j < out.side; j++) {
            const Cell& cell = across_[j];
            int first = std::min(cell.first, std::max(columns - taps_, 0));
            offsets_[j] = first * 3;  // every cell has the same number of weights; some are zero
            float* w = (float*)&weights_[size_t(j / 2) * taps_] + j % 2 * 4;
            for (int k = 0; k < cell.count; k++) {
                float* lanes = w + size_t(cell.first - first + k) * 8;
                lanes[0] = lanes[1] = lanes[2] = cell.weight(k);
            }
        }
        sums_.resize(pairs);
        line_.resize(pairs);
    }

    // Adds row `number`, (columns, 3) uint8; one byte beyond it is read too.
    void push(int number, const uint8_t* row) {
        int side = out_.side, pairs = int(line_.size());
        if (next_ == side || number < down_[next_].first) return;
        const Floats* line = line_.data();
        Floats* sums = sums_.data();
        taps_ == 2 ? across<2>(row) : taps_ == 3 ? across<3>(row) : across<0>(row);
        while (next_ < side && number >= down_[next_].first) {
            const Cell& cell = down_[next_];
            int k = number - cell.first;
            float weight = cell.weight(k);
            if (k == 0)
                for (int j = 0; j < pairs; j++) sums[j] = line[j] * weight;
            else
                for (int j = 0; j < pairs; j++) sums[j] += line[j] * weight;
            if (k + 1 < cell.count) return;
            save(next_++);
        }
    }

  private:
    Output out_;
    int next_, taps_;
    std::vector<Cell> down_, across_;
    std::vector<int> offsets_;
    std::vector<Floats> weights_, sums_, line_;

    template <int TAPS>
    void across(const uint8_t* row) {
        int pairs = int(line_.size()), taps = TAPS ? TAPS : taps_;
        const Floats* weights = weights_.data();
        const int* offsets = offsets_.data();
        Floats* line = line_.data();
        for (int j = 0; j < pairs; j++, weights += taps) {
            const uint8_t *a = row + offsets[2 * j], *b = row + offsets[2 * j + 1];
            Floats sum = as_floats(two_pixels(a, b)) * weights[0];
            for (int k = 1; k < taps; k++)
                sum += as_floats(two_pixels(a + 3 * k, b + 3 * k)) * weights[k];
            line[j] = sum;
        }
    }

    void save(int row) {
        const Output out = out_;
        const Floats* sums = sums_.data();
        for (int k = 0; k < out.side; k += 2) {
            Ints bits = (Ints)(sums[k / 2] + 8388608.0f) - 0x4B000000;  // rounds half to even
            out.two(row, k, bits > 255 ? Ints{} + 255 : bits);
        }
    }
};

}  // namespace fastscale
