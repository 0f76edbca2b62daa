-- A table is too wide for a terminal: each row becomes a term with its explanation, the
-- columns between the first and the last named by their heads.

local function inlines(cell)
  return pandoc.utils.blocks_to_inlines(cell.contents)
end

local function explanation(cells, heads)
  local middle = pandoc.List()
  for i = 2, #cells - 1 do
    local text = inlines(cells[i])
    if #text > 0 and pandoc.utils.stringify(text) ~= '–' then
      if #middle > 0 then middle:insert(pandoc.Str('; ')) end
      middle:insert(pandoc.Emph(inlines(heads[i])))
      middle:insert(pandoc.Space())
      middle:extend(text)
    end
  end
  local last = inlines(cells[#cells])
  if #middle == 0 then return { pandoc.Plain(last) } end
  middle:extend({ pandoc.Str('.'), pandoc.Space() })
  middle:extend(last)
  return { pandoc.Plain(middle) }
end

function Table(table)
  local heads = table.head.rows[1] and table.head.rows[1].cells or {}
  local items = pandoc.List()
  for _, body in ipairs(table.bodies) do
    for _, row in ipairs(body.body) do
      items:insert({ inlines(row.cells[1]), { explanation(row.cells, heads) } })
    end
  end
  return pandoc.DefinitionList(items)
end
