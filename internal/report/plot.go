package report

import (
	"bytes"
	"html/template"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that stand for those of the page, which differ in light and dark: each is replaced by a CSS variable once the
// picture is drawn.
var (
	inkColor  = color.RGBA{1, 1, 1, 255}
	barColor  = color.RGBA{2, 2, 2, 255}
	bandColor = color.RGBA{3, 3, 3, 255}
)

var cssColors = strings.NewReplacer("#010101", "var(--ink)", "#020202", "var(--bar)", "#030303", "var(--band)")

// spelledOut is what need not be said in every picture: it is said in the page or its style.
var spelledOut = strings.NewReplacer("\n\t"+`xmlns="http://www.w3.org/2000/svg"`, "", "\n\t"+`xmlns:xlink="http://www.w3.org/1999/xlink"`, "",
	"\n\t", " ", "\n", "", ` />`, "/>", ` transform="scale(1, -1)" >`, ">", "stroke-width:0.5", "stroke-width:.5")

// axes is an empty plot in the style of the page. format writes a value of the x axis.
func axes(low, high float64, format func(float64) string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.HideY()
	p.X.Min, p.X.Max, p.Y.Min = low, high, 0
	p.X.Padding, p.X.LineStyle.Color = 0, inkColor
	p.X.Tick.Label.Color = inkColor
	p.X.Tick.Length = 0
	p.X.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
		const parts = 4
		ticks := make([]plot.Tick, 0, parts+1)
		for i := range parts + 1 {
			v := low + (high-low)*float64(i)/parts
			ticks = append(ticks, plot.Tick{Value: v, Label: format(v)})
		}
		return ticks
	})
	return p
}

// bars are boxes from x0 to x1 and from 0 to y, drawn as one path.
type bars struct {
	color color.Color
	boxes []box
}

type box struct{ x0, x1, y float64 }

// Plot draws the boxes on whole points: a pair of digits less in every coordinate of a report of hundreds of pictures.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	var path vg.Path
	for _, x := range b.boxes {
		left, right := round(toX(x.x0)), round(toX(x.x1))
		bottom, top := round(toY(0)), round(toY(x.y))
		if right <= left {
			right = left + 1
		}
		if top <= bottom {
			top = bottom + 1
		}
		path.Move(vg.Point{X: left, Y: bottom})
		path.Line(vg.Point{X: left, Y: top})
		path.Line(vg.Point{X: right, Y: top})
		path.Line(vg.Point{X: right, Y: bottom})
	}
	if len(path) > 0 {
		c.SetColor(b.color)
		c.Fill(path)
	}
}

// lines are upright strokes of height y at x, drawn as one path.
type lines struct {
	color color.Color
	boxes []box
}

// Plot draws the strokes on whole points.
func (l lines) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	var path vg.Path
	for _, x := range l.boxes {
		left, bottom := round(toX(x.x0)), round(toY(0))
		path.Move(vg.Point{X: left, Y: bottom})
		path.Line(vg.Point{X: left, Y: max(round(toY(x.y)), bottom+1)})
	}
	c.SetColor(l.color)
	c.SetLineWidth(vg.Points(1.5))
	c.Stroke(path)
}

func round(l vg.Length) vg.Length { return vg.Length(math.Round(float64(l))) }

// picture is a plot as SVG for the page.
func picture(p *plot.Plot, width, height vg.Length) (template.HTML, error) {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	return template.HTML(compact(b.String())), nil // nothing in it comes from a row but numbers
}

// compact leaves out of an SVG what the page says once for all: the header, name spaces, and the style of texts.
func compact(svg string) string {
	if i := strings.Index(svg, "<svg"); i >= 0 {
		svg = svg[i:]
	}
	var b strings.Builder
	b.Grow(len(svg))
	for {
		before, rest, found := strings.Cut(svg, `style="font-family`)
		b.WriteString(before)
		if !found {
			break
		}
		_, svg, _ = strings.Cut(rest, `"`)
	}
	return cssColors.Replace(spelledOut.Replace(b.String()))
}
