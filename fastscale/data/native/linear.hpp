// Enlarges as OpenCV's INTER_AREA does, bit for bit: blends two pixels in fixed point with eleven
// bits.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "lanes.hpp"

namespace fastscale {

// Along one axis: output pixel j lies between source pixels first and second.
struct Between {
    int first, second;
    int32_t weights[2];  // of 2048
};

inline void linear_places(int size, int cells, std::vector<Between>& out) {
    double inverse = double(cells) / size, scale = 1.0 / inverse;
    out.resize(cells);
    for (int j = 0; j < cells; j++) {
        int at = int(std::floor(j * scale));
        float part = float((j + 1) - (at + 1) * inverse);
        part = part <= 0 ? 0.f : part - std::floor(part);
        if (at >= size - 1) at = size - 1, part = 0;
        out[j].first = at;
        out[j].second = std::min(at + 1, size - 1);
        out[j].weights[0] = int32_t(std::lrint((1.f - part) * 2048));
        out[j].weights[1] = int32_t(std::lrint(part * 2048));
    }
}

class Linear {
  public:
    // Prepares for rows of (rows, columns) pixels.
    void start(int rows, int columns, const Output& out) {
        out_ = out, next_ = 0;
        linear_places(rows, out.side, down_);
        linear_places(columns, out.side, across_);
        size_t pairs = size_t(out.side + 1) / 2;
        across_.resize(pairs * 2, Between{});
        weights_.resize(pairs * 2);
        for (size_t j = 0; j < pairs * 2; j += 2)
            for (int k = 0; k < 2; k++) {
                int32_t a = across_[j].weights[k], b = across_[j + 1].weights[k];
                weights_[j + k] = Ints{a, a, a, a, b, b, b, b};
            }
        lines_[0].resize(pairs);
        lines_[1].resize(pairs);
    }

    // Adds row `number`, (columns, 3) uint8; one byte beyond it is read too.
    void push(int number, const uint8_t* row) {
        if (next_ == out_.side || down_[next_].first > number) return;
        Ints* line = lines_[number % 2].data();
        const Between* across = across_.data();
        const Ints* weights = weights_.data();
        for (size_t j = 0, pairs = weights_.size() / 2; j < pairs; j++) {
            const Between &a = across[2 * j], &b = across[2 * j + 1];
            Ints first = two_pixels(row + 3 * a.first, row + 3 * b.first);
            Ints second = two_pixels(row + 3 * a.second, row + 3 * b.second);
            line[j] = (first * weights[2 * j] + second * weights[2 * j + 1]) >> 4;
        }
        for (; next_ < out_.side && down_[next_].second <= number; next_++) {
            const Between& place = down_[next_];
            const Ints *a = lines_[place.first % 2].data(), *b = lines_[place.second % 2].data();
            const Output out = out_;
            for (int k = 0, j = next_; k < out.side; k += 2) {
                Ints above = (a[k / 2] * place.weights[0]) >> 16;
                Ints below = (b[k / 2] * place.weights[1]) >> 16;
                out.two(j, k, (above + below + 2) >> 2);
            }
        }
    }

  private:
    Output out_;
    int next_;
    std::vector<Between> down_, across_;
    std::vector<Ints> weights_, lines_[2];
};

}  // namespace fastscale
